"""Sinks: DDL of a table for each output."""

from __future__ import annotations

from pathlib import Path

from flink_job.config import Outputs
from flink_job.ddl import create_table, sink_body
from flink_job.schemas import OUTPUTS, Table

#: Times as `yyyy-MM-dd HH:mm:ss.SSS` and decimals in plain digits: what Firehose's OpenX SerDe reads.
_JSON = {
    "format": "json",
    "json.timestamp-format.standard": "SQL",
    "json.encode.decimal-as-plain-number": "true",
}

#: How long the alerts stream may wait for more alerts, instead of the connector's five seconds.
ALERTS_FLUSH_MS = "100"


def sink_name(output: str) -> str:
    """Name of the table that an output is written to."""
    return f"sink_{output}"


def firehose_sinks(outputs: Outputs) -> dict[str, str]:
    """DDL by output: Firehose delivery streams, and the alerts' Kinesis stream as `alerts_stream`."""
    sinks = {name: _firehose(table, getattr(outputs, name), outputs) for name, table in OUTPUTS.items()}
    if outputs.alerts_stream:
        sinks["alerts_stream"] = _alerts_stream(outputs)
    return sinks


def file_sinks(folder: Path) -> dict[str, str]:
    """DDL by output: JSON files under `folder`/<output>."""
    return {
        name: create_table(
            sink_name(name), sink_body(table), {"connector": "filesystem", "path": (folder / name).as_uri(), **_JSON}
        )
        for name, table in OUTPUTS.items()
    }


def _firehose(table: Table, delivery_stream: str, outputs: Outputs) -> str:
    options = {"connector": "firehose", "delivery-stream": delivery_stream, **_aws(outputs), **_JSON}
    return create_table(sink_name(table.name), sink_body(table), {**options, **outputs.connector})


def _alerts_stream(outputs: Outputs) -> str:
    options = {"connector": "kinesis", "stream": outputs.alerts_stream, **_aws(outputs), **_JSON}
    options["sink.flush-buffer.timeout"] = ALERTS_FLUSH_MS
    ddl = create_table(sink_name("alerts_stream"), sink_body(OUTPUTS["alerts"]), {**options, **outputs.connector})
    return ddl.replace("\n) WITH (", "\n) PARTITIONED BY (`entity`) WITH (")


def _aws(outputs: Outputs) -> dict[str, str]:
    options = {
        "aws.region": outputs.region,
        "aws.credentials.provider": "AUTO",
        "sink.http-client.protocol.version": "HTTP1_1",
    }
    return options | ({"aws.endpoint": outputs.endpoint} if outputs.endpoint else {})
