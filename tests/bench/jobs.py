"""The Flink jobs of the benchmark: this job, complete or up to a stage, and the same shape in SQL only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_job.batch.run import batch_settings
from flink_job.config import Job, Settings
from flink_job.dataflow.ddl import create_table, sink_body
from flink_job.dataflow.pipeline import define_pipeline, kpis
from flink_job.dataflow.sinks import sink_name
from flink_job.dataflow.sources import CONTRACTS, READINGS, tick_source
from flink_job.dataflow.sql import read_sql
from flink_job.dataflow.table_stream import with_event_time, with_processing_time
from flink_job.dataflow.uids import Uid
from flink_job.dataflow.views import Views
from flink_job.schemas import OUTPUTS
from tests.bench.data import Input
from udfs import job_functions

_NOW = "CURRENT_ROW_TIMESTAMP()"
#: Long before every reading. It depends on the row: a vectorised function does not receive a constant as a column.
_LONG_AGO = "TO_TIMESTAMP_LTZ(CHAR_LENGTH(DECODE(`payload`, 'UTF-8')), 3)"
_RECORD = "`shard` AS 'shardId-000000000000',\n  `record_position` AS '49654321'"
BLACKHOLE = {"connector": "blackhole"}
#: Stages of the job by the view that they end with, in dataflow order.
STAGES = {
    "decode": "decoded",
    "contract": "with_contract",
    "resolve": "priceable",
    "revise": "deltas",
    "price": "costed",
}
_NO_TERMS = """
SELECT meter_id, CAST(NULL AS TIMESTAMP_LTZ(3)) AS contract_version, ARRAY[''] AS terms, ARRAY[''] AS spans
FROM costed WHERE FALSE
"""
BOUND = Path(__file__).parent / "bound"


def job_settings(data: Input, job: Job, rules: bool) -> Settings:
    """Settings of the job for the benchmark's input."""
    return batch_settings(str(data.tariffs), str(data.rules) if rules else "", job)


def whole(t_env: StreamTableEnvironment, data: Input, job: Job) -> StatementSet:
    """The job without alerts: costs, KPIs, duplicates, rejected and unpriced records."""
    outputs = [name for name in OUTPUTS if name != "alerts"]
    return _defined(t_env, data, blackholes(outputs), job_settings(data, job, rules=False))


def with_alerts(t_env: StreamTableEnvironment, data: Input, job: Job) -> StatementSet:
    """The job as it is deployed, with ten rules for every meter."""
    return _defined(t_env, data, blackholes(list(OUTPUTS)), job_settings(data, job, rules=True))


def _defined(t_env: StreamTableEnvironment, data: Input, sinks: Mapping[str, str], settings: Settings) -> StatementSet:
    return define_pipeline(t_env, raw_sources(data), sinks, job_functions(settings), settings)


def until(view: str) -> Callable[[StreamTableEnvironment, Input, Job], StatementSet]:
    """The job up to a view."""

    def define(t_env: StreamTableEnvironment, data: Input, job: Job) -> StatementSet:
        _defined(t_env, data, {}, job_settings(data, job, rules=False))
        return into_blackhole(t_env, view)

    return define


def bound(t_env: StreamTableEnvironment, data: Input, job: Job) -> StatementSet:
    """The same shape without Python: JSON parsed by Flink, a flat price, the job's own windows."""
    _plain_costs(t_env, data, job, blackholes(["costs", "kpis"]))
    # The terms of contracts are computed in Python; here no reading is expected.
    views = Views(t_env, lambda name: _NO_TERMS if name == "kpis/contract_terms" else read_sql(name))
    views.add("price/costs")
    kpis(t_env, views, job)
    statements = t_env.create_statement_set()
    for output in ("costs", "kpis"):
        statements.add_insert(sink_name(output), t_env.from_path(output))
    return statements


def bound_written_plainly(t_env: StreamTableEnvironment, data: Input, job: Job) -> StatementSet:
    """The same without Python, each KPI window directly from the readings; Flink drops late ones."""
    _plain_costs(t_env, data, job, blackholes(["costs"]))
    Views(t_env).add("price/costs")
    Views(t_env, _plain).add("levelled", "kpis")
    statements = into_blackhole(t_env, "kpis")
    statements.add_insert(sink_name("costs"), t_env.from_path("costs"))
    return statements


def _plain_costs(t_env: StreamTableEnvironment, data: Input, job: Job, sinks: Mapping[str, str]) -> None:
    for ddl in [json_readings(data), json_contracts(data), *sinks.values()]:
        t_env.execute_sql(ddl)
    views = Views(t_env, _plain)
    views.add("newest_contracts")
    views.materialize("resolved", with_processing_time("processed_at"), Uid.RESOLVE)
    views.add("revised", "previous_revisions", "accumulated")
    views.materialize(
        "costed", with_event_time("event_time", ("start_ms", "observed_ms"), job.watermark_delay_s), Uid.COSTS
    )


def _plain(view: str) -> str:
    """Return the SQL of a view of the job in SQL only."""
    return (BOUND / f"{view}.sql").read_text(encoding="utf-8")


def raw_sources(data: Input) -> list[str]:
    """DDL of the job's sources over the input's files: unchanged bytes that arrive now."""
    watched = {"source.monitor-interval": "1 s"} if data.later else {}
    return [
        raw_source(READINGS, data.later or data.readings_file.parent, _NOW, watched),
        raw_source(CONTRACTS, data.contracts_file.parent, _LONG_AGO, watched),
        tick_source(bounded=True),
    ]


def raw_source(table: str, folder: Path, arrival: str, options: Mapping[str, str] | None = None) -> str:
    """DDL of a table over the lines of a folder's files, with `arrival` as an expression."""
    body = f"`payload` BYTES,\n  `tenant` AS 'default',\n  `arrival` AS {arrival},\n  {_RECORD}"
    files = {"connector": "filesystem", "path": folder.as_uri(), "format": "raw"}
    return create_table(table, body, {**files, **(options or {})})


def json_readings(data: Input) -> str:
    """DDL of the readings as typed columns, parsed by Flink."""
    body = f"""`meter_id` STRING, `interval_start` STRING, `interval_s` INT, `revision` INT,
  `device_id` STRING, `sequence` BIGINT, `energy_kwh` DECIMAL(18, 6),
  `arrival` AS {_NOW}, {_RECORD}, WATERMARK FOR `arrival` AS `arrival`"""
    options = {"connector": "filesystem", "path": data.readings_file.parent.as_uri(), "format": "json"}
    return create_table(READINGS, body, options)


def json_contracts(data: Input) -> str:
    """DDL of the contracts as typed columns."""
    body = """`meter_id` STRING, `site_path` STRING, `timezone` STRING,
  `arrival` AS TO_TIMESTAMP_LTZ(0, 3), WATERMARK FOR `arrival` AS `arrival`"""
    options = {"connector": "filesystem", "path": data.contracts_file.parent.as_uri(), "format": "json"}
    return create_table(CONTRACTS, body, options)


def blackholes(outputs: list[str]) -> Mapping[str, str]:
    """DDL of sinks that discard rows."""
    return {name: create_table(sink_name(name), sink_body(OUTPUTS[name]), BLACKHOLE) for name in outputs}


def into_blackhole(t_env: StreamTableEnvironment, view: str) -> StatementSet:
    """Discard the rows of a view."""
    table = t_env.from_path(view)
    schema = table._j_table.getResolvedSchema()
    columns = ", ".join(
        f"`{column.getName()}` {column.getDataType().getLogicalType().asSerializableString()}"
        for column in schema.getColumns()
    )
    t_env.execute_sql(create_table("forgotten", columns, BLACKHOLE))
    statements = t_env.create_statement_set()
    statements.add_insert("forgotten", table)
    return statements
