"""Bytes to readings and contracts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, TableFunction, udf, udtf

from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.contract import ContractError, parse_contract
from flink_job.metering.reading import parse_reading
from udfs.columns import BIGINT, INT, STRING, frame, row_type
from udfs.metrics import Counters
from udfs.worker_memory import settle_memory

log = logging.getLogger(__name__)

READING = dict(
    reason=STRING,
    detail=STRING,
    reading_id=STRING,
    meter_id=STRING,
    start_ms=BIGINT,
    interval_s=INT,
    revision=INT,
    quality=STRING,
    device_id=STRING,
    sequence_number=BIGINT,
    import_packed=BIGINT,
    export_packed=BIGINT,
    reactive_import_packed=BIGINT,
    reactive_export_packed=BIGINT,
    register_packed=BIGINT,
    register_id=STRING,
    rollover_ukwh=BIGINT,
    measurements=STRING,
)
_INTEGERS = frozenset(name for name, kind in READING.items() if kind != STRING)

#: Payload bytes in a part of a rejected record: base64 of it stays below Firehose's limit of 1000 KiB.
PART_BYTES = 512 * 1024


class ReadReading(ScalarFunction):  # type: ignore[misc]
    """`read_reading(payload, arrival, tenant, device)`: see flink_job.metering.reading."""

    def __init__(self, max_record_bytes: int, max_future_s: int) -> None:
        self.max_record_bytes = max_record_bytes
        self.max_future_s = max_future_s

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context, "read", "rejected")
        settle_memory()

    def eval(self, payload: pd.Series, arrival: pd.Series, tenant: pd.Series, device: pd.Series) -> pd.DataFrame:
        arrival_ms = (arrival.to_numpy("datetime64[ms]").astype("int64")).tolist()
        rows = [
            parse_reading(record or b"", at_ms, self.max_record_bytes, self.max_future_s, of, sender)
            for record, at_ms, of, sender in zip(
                payload.tolist(), arrival_ms, tenant.tolist(), device.tolist(), strict=True
            )
        ]
        rejected = Counter(f"rejected_{row.reason}" for row in rows if row.reason)
        self.counters.add({"read": len(rows), "rejected": rejected.total(), **rejected})
        return frame(list(READING), rows, _INTEGERS)


class CheckContract(ScalarFunction):  # type: ignore[misc]
    """`check_contract(payload)`: why it is no contract, NULL where it is one."""

    def eval(self, payload: pd.Series) -> pd.Series:
        return pd.Series([_contract_problem(record or b"") for record in payload.tolist()], dtype=object)


class SplitPayload(TableFunction):  # type: ignore[misc]
    """`split_payload(payload)`: (part, parts, bytes), one row unless the payload is large."""

    def eval(self, payload: bytes | None) -> Iterator[tuple[int, int, bytes]]:
        payload = bytes(payload or b"")
        parts = max(1, -(-len(payload) // PART_BYTES))
        for part in range(parts):
            yield part, parts, payload[part * PART_BYTES : (part + 1) * PART_BYTES]


def _contract_problem(payload: bytes) -> str | None:
    try:
        parse_contract(payload)
        return None
    except ContractError as error:
        return str(error)
    except Exception as error:  # one contract that was not foreseen is rejected and stops nothing
        log.exception("a contract cannot be read")
        return f"{type(error).__name__}: {error}"[:MAX_DETAIL]


def read_reading(max_record_bytes: int, max_future_s: int) -> Any:
    return udf(ReadReading(max_record_bytes, max_future_s), result_type=row_type(**READING), func_type="pandas")


def check_contract() -> Any:
    return udf(CheckContract(), result_type=STRING, func_type="pandas")


def split_payload() -> Any:
    return udtf(SplitPayload(), result_types=[INT, INT, DataTypes.BYTES()])
