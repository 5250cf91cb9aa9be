"""Python functions of the job, thin wrappers of the code in flink_job. `register_functions` lists the SQL functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flink_job.dataflow.functions import Functions
from flink_job.sentry import destination_from_settings
from udfs.alert_states import ALERT_ROW, AlertStates, NoData
from udfs.changed_spans import changed_spans_function
from udfs.contract_marks import contract_marks_function
from udfs.counted import counted
from udfs.decode import check_contract, read_reading, split_payload
from udfs.error_reports import reported, reported_process
from udfs.expected import expected_terms
from udfs.prefilter_kpi import prefilter_kpi
from udfs.price import price_reading
from udfs.resolve import resolve_reading

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

    from flink_job.config import Settings


def job_functions(settings: Settings) -> Functions:
    """Return the functions that the pipeline requires."""
    destination = destination_from_settings(settings)
    return Functions(
        register=lambda t_env: register_functions(t_env, settings),
        alert_states=reported_process(AlertStates(settings), destination),
        no_data=reported_process(NoData(settings), destination),
        alert_row=ALERT_ROW,
    )


def register_functions(t_env: TableEnvironment, settings: Settings) -> None:
    """Register the SQL functions in a table environment, each with its settings."""
    job, destination = settings.job, destination_from_settings(settings)
    functions = {
        "read_reading": read_reading(job.max_record_bytes, job.max_future_s),
        "check_contract": check_contract(),
        "split_payload": split_payload(),
        "resolve_reading": resolve_reading(settings),
        "price_reading": price_reading(settings),
        "prefilter_kpi": prefilter_kpi(settings),
        "count_duplicates": counted("duplicates"),
        "expected_terms": expected_terms(settings),
        "changed_spans": changed_spans_function(settings),
        "contract_marks": contract_marks_function(settings),
    }
    for name, function in functions.items():
        t_env.create_temporary_function(name, reported(function, destination))
