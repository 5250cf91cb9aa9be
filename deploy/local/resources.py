"""What the job needs at an endpoint (streams, delivery streams, bucket, Glue tables), and settings that name them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_job.publish import client
from flink_job.schemas import OUTPUTS, SERVICE_TABLES, Table

REGION = "us-east-1"
ROLE = "arn:aws:iam::000000000000:role/local"
BUFFER_S = 2
BUFFER_MB = 64


@dataclass(frozen=True)
class Names:
    """Names of a deployment's resources; `prefix` keeps deployments apart."""

    prefix: str

    @property
    def readings(self) -> str:
        return f"{self.prefix}-readings"

    @property
    def contracts(self) -> str:
        return f"{self.prefix}-contracts"

    @property
    def alerts(self) -> str:
        return f"{self.prefix}-alerts"

    @property
    def lake(self) -> str:
        return f"{self.prefix}-lake"

    @property
    def database(self) -> str:
        return self.prefix.replace("-", "_")

    def delivery(self, output: str) -> str:
        return f"{self.prefix}-{output}"


def create(names: Names, endpoint: str, tariffs: Path, rules: Path, shards: int = 2) -> None:
    """Create every resource and upload tariffs and rules."""
    kinesis, s3 = client("kinesis", endpoint), client("s3", endpoint)
    for stream in (names.readings, names.contracts, names.alerts):
        _create_stream(kinesis, stream, shards)
    s3.create_bucket(Bucket=names.lake)
    for document in sorted(tariffs.glob("*.json")):
        s3.put_object(Bucket=names.lake, Key=f"tariffs/{document.name}", Body=document.read_bytes())
    s3.put_object(Bucket=names.lake, Key="rules/rules.yaml", Body=rules.read_bytes())
    glue, firehose = client("glue", endpoint), client("firehose", endpoint)
    glue.create_database(DatabaseInput={"Name": names.database})
    for table in (*OUTPUTS.values(), *SERVICE_TABLES.values()):
        glue.create_table(DatabaseName=names.database, TableInput=glue_table(table, names.lake))
        firehose.create_delivery_stream(
            DeliveryStreamName=names.delivery(table.name),
            DeliveryStreamType="DirectPut",
            ExtendedS3DestinationConfiguration=_destination(table, names),
        )


def glue_table(table: Table, bucket: str) -> dict[str, Any]:
    """The Glue table of an output."""
    return {
        "Name": table.name,
        "Description": table.doc,
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": {
            "Columns": [{"Name": c.name, "Type": c.glue, "Comment": c.doc} for c in table.columns],
            "Location": f"s3://{bucket}/{table.name}/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
    }


def write_properties(path: Path, names: Names, endpoint: str, rules_refresh_s: float = 60, **job: object) -> None:
    """The application's properties for these resources."""
    aws = {"region": REGION, "endpoint": endpoint}
    groups = {
        "readings": {"stream": names.readings, **aws},
        "contracts": {"stream": names.contracts, **aws},
        "outputs": {
            **{output: names.delivery(output) for output in OUTPUTS},
            "alerts_stream": names.alerts,
            "lake": f"s3://{names.lake}",
            **aws,
        },
        "tariffs": {
            "uri": f"s3://{names.lake}/tariffs/",
            "rules_uri": f"s3://{names.lake}/rules/rules.yaml",
            "rules_refresh_s": str(rules_refresh_s),
            **aws,
        },
        "job": {key: str(value) for key, value in job.items()},
    }
    document = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _destination(table: Table, names: Names) -> dict[str, Any]:
    return {
        "RoleARN": ROLE,
        "BucketARN": f"arn:aws:s3:::{names.lake}",
        "Prefix": f"{table.name}/",
        "ErrorOutputPrefix": f"errors/{table.name}/!{{firehose:error-output-type}}/",
        "BufferingHints": {"SizeInMBs": BUFFER_MB, "IntervalInSeconds": BUFFER_S},
        "DataFormatConversionConfiguration": {
            "Enabled": True,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
            "SchemaConfiguration": {
                "DatabaseName": names.database,
                "TableName": table.name,
                "RoleARN": ROLE,
                "Region": REGION,
            },
        },
    }


def _create_stream(kinesis: Any, stream: str, shards: int) -> None:
    kinesis.create_stream(StreamName=stream, ShardCount=shards)
    for _ in range(100):
        if kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.1)
    raise TimeoutError(f"stream {stream} did not become active")
