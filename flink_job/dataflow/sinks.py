"""DDL of the sink table of each output."""

from __future__ import annotations

from pathlib import Path

from flink_job.columns import Table
from flink_job.config import Outputs
from flink_job.dataflow.ddl import create_table, sink_body
from flink_job.dataflow.wire import wire_names
from flink_job.schemas import OUTPUTS

#: Times as `yyyy-MM-dd HH:mm:ss.SSS` and decimals in plain digits, as Firehose's OpenX SerDe expects.
_JSON = {
    "format": "json",
    "json.timestamp-format.standard": "SQL",
    "json.encode.decimal-as-plain-number": "true",
}

_WITHOUT_NULLS = {"json.encode.ignore-null-fields": "true"}

#: Rows are packed into records, because Firehose bills each record as a multiple of 5 kB. Firehose extracts at most 500
#: rows from a record. A row waits up to 4 s for others, and the record then up to 1 s: together the default of 5 s of
#: the Firehose connector.
RECORD_BYTES, RECORD_ROWS, LINGER_S = 50_000, 500, 4

#: The Firehose connector limits its buffer by the number of records, so its defaults would allow 500 MB for each
#: output and slot. A batch is 80 records, the most that fit into the 4 MiB of a request; a throttled slot buffers
#: at most 200 records and five batches, 30 MB, for each output.
PACKED = {
    "connector": "packed",
    "packed.connector": "firehose",
    "packed.max-bytes": f"{RECORD_BYTES} b",
    "packed.max-rows": str(RECORD_ROWS),
    "packed.linger": f"{LINGER_S} s",
    "sink.flush-buffer.timeout": "1000",
    "sink.batch.max-size": "80",
    "sink.requests.max-buffered": "200",
    "sink.requests.max-inflight": "5",
}

#: Flush timeout of the alerts stream; the default of the connector is five seconds.
ALERTS_FLUSH_MS = "100"


def sink_name(output: str) -> str:
    """Return the name of the sink table of an output."""
    return f"sink_{output}"


def firehose_sinks(outputs: Outputs) -> dict[str, str]:
    """Return the DDL by output: Firehose delivery streams, and the Kinesis stream of alerts as `alerts_stream`."""
    sinks = {name: _firehose(table, getattr(outputs, name), outputs) for name, table in OUTPUTS.items()}
    if outputs.alerts_stream:
        sinks["alerts_stream"] = _alerts_stream(outputs)
    return sinks


def file_sinks(folder: Path) -> dict[str, str]:
    """Return the DDL by output: JSON files under `folder`/<output>."""
    return {
        name: create_table(
            sink_name(name), sink_body(table), {"connector": "filesystem", "path": (folder / name).as_uri(), **_JSON}
        )
        for name, table in OUTPUTS.items()
    }


def _firehose(table: Table, delivery_stream: str, outputs: Outputs) -> str:
    # Firehose reads a missing field as NULL, and bills fields that are present.
    options = {**PACKED, "delivery-stream": delivery_stream, **_aws(outputs), **_JSON, **_WITHOUT_NULLS}
    return create_table(sink_name(table.name), sink_body(table, wire_names(table)), {**options, **outputs.connector})


def _alerts_stream(outputs: Outputs) -> str:
    options = {"connector": "kinesis", "stream": outputs.alerts_stream, **_aws(outputs), **_JSON}
    options["sink.flush-buffer.timeout"] = ALERTS_FLUSH_MS
    options |= {name: value for name, value in outputs.connector.items() if not name.startswith("packed.")}
    ddl = create_table(sink_name("alerts_stream"), sink_body(OUTPUTS["alerts"]), options)
    return ddl.replace("\n) WITH (", "\n) PARTITIONED BY (`entity`) WITH (")


def _aws(outputs: Outputs) -> dict[str, str]:
    options = {
        "aws.region": outputs.region,
        "aws.credentials.provider": "AUTO",
        "sink.http-client.protocol.version": "HTTP1_1",
    }
    return options | ({"aws.endpoint": outputs.endpoint} if outputs.endpoint else {})
