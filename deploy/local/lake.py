"""Rows delivered to the lake: downloads new Parquet files and counts rows by output."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from deploy.kit.names import Names
from flink_job.batch.account import counted_readings
from flink_job.io.kinesis import client
from flink_job.io.remote import sync
from flink_job.lake.database import each_record_once, open_lake
from flink_job.schemas import ACCOUNTED, OUTPUTS

#: Metrics of a delivery stream at the local endpoint. AWS has no metric of billed bytes.
_METRICS = (
    ("AWS/Firehose", "IncomingRecords"),
    ("AWS/Firehose", "IncomingBytes"),
    ("Emulator/Firehose", "BilledBytes"),
)
_RECENT = timedelta(hours=12)


@dataclass(frozen=True)
class Received:
    """Records that a delivery stream received, with their size and billed bytes."""

    records: int
    size_bytes: int
    billed_bytes: int


class LocalLake:
    """A local copy of the lake. `rows` counts rows by output, duplicates included; `account` counts each key once."""

    def __init__(self, names: Names, endpoint: str, folder: Path) -> None:
        self.names, self.endpoint, self.folder = names, endpoint, folder
        self.rows = dict.fromkeys(OUTPUTS, 0)
        self._counted: set[Path] = set()

    def refresh(self) -> bool:
        """Download new files; returns True if there were any."""
        found = False
        for output in OUTPUTS:
            sync(self.names.lake, "", output, self.folder, self.endpoint)
            for path in set((self.folder / output).glob("**/*.parquet")) - self._counted:
                self._counted.add(path)
                self.rows[output] += self._records(output, path)
                found = True
        return found

    @property
    def accounted(self) -> int:
        return sum(self.rows[name] for name in ACCOUNTED)

    def account(self) -> dict[str, int]:
        """Records by outcome; each key and each rejected record counts once."""
        return account(self.folder)

    def received(self) -> dict[str, Received]:
        """Records received so far, by delivery stream of a local endpoint."""
        return {output: received(self.names.delivery(output), self.endpoint) for output in OUTPUTS}

    def _records(self, output: str, path: Path) -> int:
        if OUTPUTS[output].counted_where == "TRUE":
            return int(pq.read_metadata(path).num_rows)
        return counted_readings(output, path)


def account(lake: Path) -> dict[str, int]:
    """Rows of a lake by output; each key, and each reading that an output accounts for, counts once.

    A record that was unpriced counts as such even where its reading was published again and priced.
    """
    with open_lake(lake) as connection:
        return {
            name: connection.execute(
                f"SELECT COUNT(*) FROM ({each_record_once(table)}) AS records WHERE {table.counted_where}"
            ).fetchall()[0][0]
            for name, table in OUTPUTS.items()
        }


def received(delivery_stream: str, endpoint: str) -> Received:
    """Records that a delivery stream of a local endpoint has received so far."""
    now = datetime.now(UTC)
    cloudwatch = client("cloudwatch", endpoint)
    sums = (
        sum(
            point["Sum"]
            for point in cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName=metric,
                Dimensions=[{"Name": "DeliveryStreamName", "Value": delivery_stream}],
                StartTime=now - _RECENT,
                EndTime=now + timedelta(minutes=1),
                Period=60 * 60,
                Statistics=["Sum"],
            )["Datapoints"]
        )
        for namespace, metric in _METRICS
    )
    return Received(*map(int, sums))
