"""SQL functions that decode the bytes of records: `read_reading`, `check_contract` and `split_payload`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, TableFunction, udf, udtf

from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.contract import ContractError
from flink_job.metering.groups import SEPARATOR, links_of
from flink_job.metering.reading import parse_reading
from flink_job.metering.supply_terms import parse_record
from udfs.columns import BIGINT, INT, STRING, frame, row_type
from udfs.metrics import Counters
from udfs.worker_memory import settle_memory

log = logging.getLogger(__name__)

#: Result columns of `read_reading`, in the order of ParsedReading. `reason` and `detail` are NULL for a valid reading.
#: A value that the record does not contain is NULL in STRING columns and ABSENT in integer columns.
READING = dict(
    reason=STRING,  # code of Rejection
    detail=STRING,  # description of the error
    reading_id=STRING,  # hash of meter, interval, revision and quantities
    meter_id=STRING,  # qualified by the tenant (see flink_job.tenants)
    start_ms=BIGINT,  # start of the interval [epoch ms]
    interval_s=INT,  # length of the interval [s]
    revision=INT,  # number of the correction, from 0
    quality=STRING,  # actual, estimated or edited
    device_id=STRING,  # device that sent the record
    sequence_number=BIGINT,  # message counter of the device
    import_packed=BIGINT,  # revision and energy [1e-6 kWh or kvarh] (see flink_job.metering.packing)
    export_packed=BIGINT,
    reactive_import_packed=BIGINT,
    reactive_export_packed=BIGINT,
    register_packed=BIGINT,  # revision and register read [1e-6 kWh]
    register_id=STRING,  # register of the meter; empty if it has only one
    rollover_ukwh=BIGINT,  # value at which the register rolls over [1e-6 kWh]
    measurements=STRING,  # JSON object of channels that are not billed
    raw_unit=STRING,  # unit in the record, if its channel is stored in another one
)
_INTEGERS = frozenset(name for name, kind in READING.items() if kind != STRING)

#: Maximum payload bytes of a part of a rejected record, so that its base64 stays below Firehose's limit of 1000 KiB.
PART_BYTES = 512 * 1024


class ReadReading(ScalarFunction):  # type: ignore[misc]
    """`read_reading(payload, arrival, tenant, device)`: the columns READING of a record.

    `payload`: bytes of the record. `arrival`: time at which the stream received it. `tenant`: owner of the meter.
    `device`: authenticated sender, NULL if unknown. A record that cannot be parsed has a `reason`; no record raises an
    error (see flink_job.metering.reading).

    Counts the metrics `read`, `rejected` and `rejected_<reason>`.
    """

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


class Checked(NamedTuple):
    """Result columns of `check_contract`: the error of an invalid record, or else its version and its links.

    `version_ms` [epoch ms]. `record_name`, `listens` and `provides`: see flink_job.metering.groups.Links.
    """

    problem: str | None
    version_ms: int
    record_name: str = ""
    listens: str = ""
    provides: str = ""


_NUMBERS = frozenset({"version_ms"})
CHECKED = {name: BIGINT if name in _NUMBERS else STRING for name in Checked._fields}


class CheckContract(ScalarFunction):  # type: ignore[misc]
    """`check_contract(payload, tenant, arrival)`: the columns of Checked. `tenant`: of a record that names none."""

    def eval(self, payload: pd.Series, tenant: pd.Series | str, arrival: pd.Series) -> pd.DataFrame:
        arrival_ms = arrival.to_numpy("datetime64[ms]").astype("int64").tolist()
        # The planner passes a column that is a constant, as that of a file is, as one value.
        tenants = [tenant] * len(payload) if isinstance(tenant, str) else tenant.tolist()
        records = zip(payload.tolist(), tenants, arrival_ms, strict=True)
        return frame(list(CHECKED), [_checked(record or b"", of, at_ms) for record, of, at_ms in records], _NUMBERS)


class SplitPayload(TableFunction):  # type: ignore[misc]
    """`split_payload(payload)`: a row (part, parts, bytes) for each part of a payload.

    `part` counts from 0, `parts` is their number; a part has at most PART_BYTES. NULL is split like an empty payload,
    into one part.
    """

    def eval(self, payload: bytes | None) -> Iterator[tuple[int, int, bytes]]:
        payload = bytes(payload or b"")
        parts = max(1, -(-len(payload) // PART_BYTES))
        for part in range(parts):
            yield part, parts, payload[part * PART_BYTES : (part + 1) * PART_BYTES]


def _checked(payload: bytes, tenant: str, arrival_ms: int) -> Checked:
    try:
        found = parse_record(payload)
        name, listens, provides = links_of(found, tenant)
        return Checked(None, found.version_ms(arrival_ms), name, SEPARATOR.join(listens), SEPARATOR.join(provides))
    except ContractError as error:
        return Checked(str(error), arrival_ms)
    except Exception as error:  # an unexpected error rejects this contract and does not fail the job
        log.exception("a contract cannot be read")
        return Checked(f"{type(error).__name__}: {error}"[:MAX_DETAIL], arrival_ms)


def read_reading(max_record_bytes: int, max_future_s: int) -> Any:
    """Return the vectorised function `read_reading`."""
    return udf(ReadReading(max_record_bytes, max_future_s), result_type=row_type(**READING), func_type="pandas")


def check_contract() -> Any:
    """Return the vectorised function `check_contract`."""
    return udf(CheckContract(), result_type=row_type(**CHECKED), func_type="pandas")


def split_payload() -> Any:
    """Return the table function `split_payload`."""
    return udtf(SplitPayload(), result_types=[INT, INT, DataTypes.BYTES()])
