"""Firehose's buffering: records are buffered up to a size or age and de-aggregated; each partition becomes an object.

Publishes metrics of received records, their size and their billed size.
"""

from __future__ import annotations

import contextvars
import sys
import tempfile
import threading
import time
from typing import Any

from packed import billed_bytes, rows_of, separates_rows

CHECK_S = 0.25


class Buffers:
    """Records waiting for delivery, by delivery stream."""

    def __init__(self, firehose: Any, cloudwatch: Any) -> None:
        self.firehose = firehose
        self.cloudwatch = cloudwatch
        self.deliver_one = firehose._deliver_records_to_s3
        self.lock = threading.Lock()
        self.waiting: dict[str, list[bytes]] = {}
        self.sizes: dict[str, int] = {}
        self.since: dict[str, float] = {}
        self.targets: dict[str, tuple[dict, dict, contextvars.Context]] = {}

    def add(self, stream: dict, dest: dict, records: list[tuple[str, bytes]]) -> None:
        """Buffer records; replaces ministack's delivery of single records."""
        name = stream["name"]
        dest["records"].clear()
        with self.lock:
            self.targets[name] = (stream, dest, contextvars.copy_context())
            self.since.setdefault(name, time.monotonic())
            for _, payload in records:
                self.waiting.setdefault(name, []).append(payload)
                self.sizes[name] = self.sizes.get(name, 0) + len(payload)

    def run(self) -> None:
        while True:
            time.sleep(CHECK_S)
            for name in self._due():
                with self.lock:
                    payloads = self.waiting.pop(name)
                    self.sizes.pop(name)
                    self.since.pop(name)
                    stream, dest, context = self.targets[name]
                context.run(self._measure, name, payloads)
                context.run(self._deliver, stream, dest, payloads)

    def _due(self) -> list[str]:
        with self.lock:
            return [name for name in self.waiting if self._is_due(name)]

    def _is_due(self, name: str) -> bool:
        hints = self.targets[name][1]["config"].get("BufferingHints") or {}
        full = self.sizes[name] >= hints.get("SizeInMBs", 5) * 1_000_000
        return full or time.monotonic() - self.since[name] >= hints.get("IntervalInSeconds", 300)

    def _measure(self, name: str, records: list[bytes]) -> None:
        """Publish two metrics of AWS, and the billed bytes, for which AWS has no metric."""
        dimensions = {"DeliveryStreamName": name}
        for namespace, metric, value, unit in (
            ("AWS/Firehose", "IncomingRecords", len(records), "Count"),
            ("AWS/Firehose", "IncomingBytes", sum(map(len, records)), "Bytes"),
            ("Emulator/Firehose", "BilledBytes", sum(map(billed_bytes, records)), "Bytes"),
        ):
            self.cloudwatch.record_metric(namespace, metric, value, unit, dimensions)

    def _deliver(self, stream: dict, dest: dict, payloads: list[bytes]) -> None:
        """Write an object per partition; if that fails, deliver each record separately as ministack does."""
        if separates_rows(dest["config"]):
            payloads = [row for record in payloads for row in rows_of(record)]
        for keys, group in self._partitions(dest["config"], payloads):
            self._deliver_partition(stream, dest, keys, group)

    def _partitions(self, config: dict, payloads: list[bytes]) -> list[tuple[dict | None, list[bytes]]]:
        """Group payloads by partition keys; those without readable keys form one group."""
        if not (config.get("DynamicPartitioningConfiguration") or {}).get("Enabled"):
            return [(None, payloads)]
        groups: dict[tuple, tuple[dict | None, list[bytes]]] = {}
        for payload in payloads:
            try:
                keys = self.firehose._metadata_extraction_keys(config, payload)
            except Exception:
                keys = {}
            groups.setdefault(tuple(sorted((keys or {}).items())), (keys, []))[1].append(payload)
        return list(groups.values())

    def _deliver_partition(self, stream: dict, dest: dict, keys: dict | None, payloads: list[bytes]) -> None:
        config = dest["config"]
        conversion = config.get("DataFormatConversionConfiguration") or {}
        try:
            body, extension = b"".join(payloads), ""
            if conversion.get("Enabled"):
                body, extension = self._parquet(conversion, payloads), ".parquet"
            now = self.firehose._arrival_time(config)
            stamp = self.firehose._java_time("yyyy-MM-dd-HH-mm-ss", now)
            key = (
                f"{self.firehose._evaluate_prefix(config.get('Prefix', ''), now, keys, None)}{stream['name']}-1-{stamp}"
            )
            bucket = self.firehose._s3_bucket_from_arn(config["BucketARN"])
            self.firehose._put_s3_object(bucket, f"{key}-{self.firehose.new_uuid()}{extension}", body)
        except Exception as error:
            print(f"{stream['name']}: {len(payloads)} records are delivered one by one: {error}", file=sys.stderr)
            for payload in payloads:
                self.deliver_one(stream, dest, [("", payload)])

    def _parquet(self, conversion: dict, payloads: list[bytes]) -> bytes:
        import duckdb
        from ministack.services import glue

        schema = conversion["SchemaConfiguration"]
        table = glue._tables[f"{schema['DatabaseName']}/{schema['TableName']}"]
        columns = table["StorageDescriptor"]["Columns"]
        kinds = {c["Name"]: self.firehose._hive_to_duckdb_type(c["Type"]) for c in columns}
        openx = conversion["InputFormatConfiguration"]["Deserializer"].get("OpenXJsonSerDe") or {}
        keys = openx.get("ColumnToJsonKeyMappings") or {}
        with tempfile.TemporaryDirectory() as folder:
            source, target = f"{folder}/in.json", f"{folder}/out.parquet"
            with open(source, "wb") as file:
                file.write(b"\n".join(payloads))
            described = ", ".join(f"'{keys.get(name, name)}': '{kind}'" for name, kind in kinds.items())
            selected = ", ".join(f'"{keys.get(name, name)}" AS "{name}"' for name in kinds)
            with duckdb.connect() as connection:
                connection.execute(
                    f"COPY (SELECT {selected} FROM read_json('{source}', format='newline_delimited', "
                    f"columns={{{described}}}, maximum_object_size=4000000)) "
                    f"TO '{target}' (FORMAT PARQUET, COMPRESSION SNAPPY)"
                )
            with open(target, "rb") as file:
                return file.read()
