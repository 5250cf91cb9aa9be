"""The job under a steady load generated in Flink; each cost and alert is written with the time of its emission."""

from __future__ import annotations

from pathlib import Path

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_job.config import Job
from flink_job.dataflow.ddl import create_table
from flink_job.dataflow.pipeline import define_pipeline
from flink_job.dataflow.sources import CONTRACTS, READINGS, tick_source
from flink_job.schemas import OUTPUTS
from tests.bench.data import INTERVAL_S, Input
from tests.bench.jobs import blackholes, job_settings, raw_source
from udfs import job_functions

#: Arrival is the time at which the reading is generated; energies spread over 0 to 12 kWh, which one in 600 exceeds.
_VIEW = """CREATE TEMPORARY VIEW {readings} AS
SELECT
  CAST(CONCAT(
    '{{"meter_id":"meter-', LPAD(CAST(MOD(n, {meters}) AS STRING), 7, '0'),
    '","interval_start":', CAST(1772409600000 + n / {meters} * {interval_ms} AS STRING),
    ',"interval_s":{interval_s},"sequence":', CAST(n AS STRING), ',"device_id":"dev","energy_kwh":',
    CAST(CAST(MOD(n * 7919, 12000) AS DECIMAL(9, 3)) / 1000 AS STRING), '}}') AS BYTES) AS payload,
  CURRENT_TIMESTAMP AS arrival,
  'shardId-000000000000' AS shard,
  '49654321' AS record_position
FROM load_numbers"""


def latency_job(t_env: StreamTableEnvironment, data: Input, job: Job, rate: int, out: Path) -> StatementSet:
    """`data.readings` readings at `rate` a second; rows (arrival, done) of costs and alerts as CSV under `out`."""
    numbers = {
        "connector": "datagen",
        "rows-per-second": str(rate),
        "fields.n.kind": "sequence",
        "fields.n.start": "0",
        "fields.n.end": str(data.readings - 1),
    }
    view = _VIEW.format(readings=READINGS, meters=data.meters, interval_ms=INTERVAL_S * 1000, interval_s=INTERVAL_S)
    contracts = raw_source(CONTRACTS, data.contracts_file.parent, "TO_TIMESTAMP_LTZ(0, 3)")
    sources = [create_table("load_numbers", "`n` BIGINT", numbers), view, contracts, tick_source(bounded=True)]
    settings = job_settings(data, job, rules=True)
    others = [name for name in OUTPUTS if name not in ("costs", "alerts")]
    statements = define_pipeline(t_env, sources, blackholes(others), job_functions(settings), settings)
    for name in ("costs", "alerts"):
        options = {"connector": "filesystem", "path": (out / name).as_uri(), "format": "csv"}
        t_env.execute_sql(create_table(f"noted_{name}", "`arrival` TIMESTAMP(3), `done` TIMESTAMP(3)", options))
        noted = f"SELECT arrival, CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3)) AS done FROM {name}"
        statements.add_insert(f"noted_{name}", t_env.sql_query(noted))
    return statements
