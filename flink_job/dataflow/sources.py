"""DDL of the source tables `source_readings`, `source_contracts`, `source_alerts` and `source_ticks`.

Readings and contracts have the same columns from Kinesis and from files: `payload` is the record's bytes, `tenant` the
tenant of records that name none, `arrival` the time at which the stream received it; `shard` and `record_position`
identify the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flink_job.config import Outputs, StreamSource
from flink_job.dataflow.ddl import create_table, sink_body
from flink_job.schemas import OUTPUTS
from flink_job.tenants import DEFAULT, RIGHT, is_tenant

READINGS = "source_readings"
CONTRACTS = "source_contracts"
ALERTS = "source_alerts"
TICKS = "source_ticks"
#: A shard allows five reads a second, which the job shares with the notifier.
_ALERTS_POLL_MS = "1000"

_KINESIS_BODY = """`payload` BYTES,
  `tenant` AS '{tenant}',
  `arrival` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  `shard` STRING METADATA FROM 'shard-id' VIRTUAL,
  `record_position` STRING METADATA FROM 'sequence-number' VIRTUAL"""

_FILE_BODY = """`payload` BYTES,
  `tenant` AS '{tenant}',
  `arrival_ms` BIGINT,
  `shard` STRING,
  `record_position` STRING,
  `arrival` AS TO_TIMESTAMP_LTZ(`arrival_ms`, 3)"""


def kinesis_source(table: str, source: StreamSource) -> str:
    """Return the DDL of a table over a Kinesis stream (connector flink-connector-kinesis 4.3.0)."""
    return create_table(table, _of(source.tenant, _KINESIS_BODY), {**_kinesis_options(source), "format": "raw"})


def _kinesis_options(source: StreamSource) -> dict[str, str]:
    options: dict[str, str] = {
        "connector": "kinesis",
        "stream": source.stream,
        "aws.region": source.region,
        "aws.credentials.provider": "AUTO",
        "scan.stream.initpos": source.initial_position,
        "scan.shard-assigner": "uniform",
        "scan.shard.discovery.intervalmillis": "10000",
    }
    if source.endpoint:
        options["aws.endpoint"] = source.endpoint
    if source.initial_timestamp:
        options["scan.stream.initpos-timestamp"] = source.initial_timestamp
    return {**options, **source.connector}


def alerts_source(outputs: Outputs) -> str:
    """Return the DDL of the alerts that the job has written to its stream, with the time `written`."""
    source = StreamSource(outputs.alerts_stream, outputs.region, outputs.endpoint)
    options = {
        **_kinesis_options(source),
        "scan.shard.getrecords.intervalmillis": _ALERTS_POLL_MS,
        "format": "json",
        "json.timestamp-format.standard": "SQL",
        "json.ignore-parse-errors": "true",
    }
    written = "`written` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL"
    return create_table(ALERTS, f"{sink_body(OUTPUTS['alerts'])},\n  {written}", options)


def staged_source(table: str, folder: Path, tenant: str = DEFAULT) -> str:
    """Return the DDL of a table over staged files (see flink_job.io.records): bounded, in file order."""
    options: Mapping[str, str] = {"connector": "filesystem", "path": folder.as_uri(), "format": "json"}
    return create_table(table, _of(tenant, _FILE_BODY), options)


def _of(tenant: str, body: str) -> str:
    if not is_tenant(tenant):
        raise ValueError(f"tenant is {tenant!r}; it must be {RIGHT}")
    return body.format(tenant=tenant)


def tick_source(bounded: bool = False) -> str:
    """Return the DDL of a clock that ticks once a second; in a bounded run, which does not use it, only once."""
    options = {"connector": "datagen", "rows-per-second": "1"}
    return create_table(TICKS, "`tick` INT", options | ({"number-of-rows": "1"} if bounded else {}))
