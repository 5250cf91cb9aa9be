"""Vectorised functions of the job: thin wrappers of the pure code, registered here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flink_job.sentry import destination_of
from udfs.decode import check_contract, read_reading, split_payload
from udfs.price import price_reading
from udfs.reports import reported
from udfs.resolve import resolve_reading
from udfs.tally import tally
from udfs.watch_kpi import watch_kpi

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

    from flink_job.config import Settings


def register_functions(t_env: TableEnvironment, settings: Settings) -> None:
    """Make the functions known to SQL, with the settings that each needs."""
    job, destination = settings.job, destination_of(settings)
    functions = {
        "read_reading": read_reading(job.max_record_bytes, job.max_future_s),
        "check_contract": check_contract(),
        "split_payload": split_payload(),
        "resolve_reading": resolve_reading(settings),
        "price_reading": price_reading(settings),
        "watch_kpi": watch_kpi(settings),
        "tally_repeated": tally("repeated"),
        "tally_late": tally("late"),
    }
    for name, function in functions.items():
        t_env.create_temporary_function(name, reported(function, destination))
