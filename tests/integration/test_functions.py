"""The vectorised functions without a JVM: columns in, columns out, counters."""

from __future__ import annotations

import gc
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flink_job.alerts.samples import decode_batch
from flink_job.batch.run import batch_settings
from flink_job.config import Job
from udfs.counted import Counted
from udfs.decode import PART_BYTES, READING, CheckContract, ReadReading, SplitPayload
from udfs.resolve import RESOLVED, ResolveReading

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
GOOD = {"meter_id": "m", "interval_start": "2026-03-28T10:00:00Z", "interval_s": 900, "energy_kwh": 1.25}


class FakeContext:
    """A function context whose counters can be read."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.groups: list[str] = []

    def get_metric_group(self) -> FakeContext:
        return self

    def add_group(self, name: str) -> FakeContext:
        self.groups.append(name)
        return self

    def counter(self, name: str) -> Any:
        counts = self.counts

        class One:
            def inc(self, by: int) -> None:
                counts[name] += by

        return One()


@pytest.fixture
def context() -> FakeContext:
    return FakeContext()


def sender(count: int) -> tuple[pd.Series, pd.Series]:
    """Columns of tenant and device of records that no device sent."""
    return pd.Series(["default"] * count, dtype=object), pd.Series([None] * count, dtype=object)


def decode(context: FakeContext, *records: bytes) -> pd.DataFrame:
    function = ReadReading(10_000, 3600)
    function.open(context)
    arrival = pd.Series(pd.to_datetime(["2026-03-28T12:00:00"] * len(records)))
    return function.eval(pd.Series(records, dtype=object), arrival, *sender(len(records)))


def test_decoding_counts_what_it_read_and_rejected_by_reason(context: FakeContext) -> None:
    rows = decode(context, json.dumps(GOOD).encode(), b"{", b"{}")
    assert list(rows.columns) == list(READING)
    assert rows["reason"].tolist() == [None, "not_json", "missing_field"]
    assert context.groups == ["kinesisanalytics"]
    assert context.counts == {"read": 3, "rejected": 2, "rejected_not_json": 1, "rejected_missing_field": 1}


def test_the_collector_of_cycles_leaves_batches_alone(context: FakeContext) -> None:
    function = ReadReading(10_000, 3600)
    function.open(context)
    records = pd.Series([json.dumps(GOOD).encode()] * 20_000, dtype=object)
    arrival = pd.Series(pd.to_datetime(["2026-03-28T12:00:00"] * len(records)))
    collections: list[str] = []

    def note(phase: str, about: Any) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        rows = function.eval(records, arrival, *sender(len(records)))
    finally:
        gc.callbacks.remove(note)
    assert (len(rows), collections) == (20_000, [])


def test_packed_columns_stay_integers_beside_absent_ones(context: FakeContext) -> None:
    rows = decode(context, json.dumps({**GOOD, "revision": 4095}).encode(), b"{")
    assert rows["import_packed"].dtype == "int64"
    assert rows["import_packed"].tolist() == [(4095 << 50) + 1_250_000, -1]


def test_unpriced_readings_are_counted_by_reason(context: FakeContext) -> None:
    function = ResolveReading(batch_settings(str(SAMPLES / "tariffs"), "", Job()))
    function.open(context)
    at_first = dict(context.counts)
    contracts = (SAMPLES / "contracts.ndjson").read_text().splitlines()
    number, text = pd.Series([-1] * 3, dtype="int64"), pd.Series([None] * 3, dtype=object)
    documents = pd.Series([contracts[0], None, contracts[0].replace("eur-flat", "none")], dtype=object)
    start, interval = pd.Series([1_774_700_000_000] * 3), pd.Series([900] * 3)
    arrival, revision = pd.Series(pd.to_datetime(start, unit="ms")), pd.Series([0] * 3)
    packed = [number] * 6
    rows = function.eval(documents, text, arrival, revision, start, interval, *packed, text)
    assert list(rows.columns) == list(RESOLVED)
    assert rows["reason"].tolist() == [None, "no_contract", "unknown_tariff"]
    # Both counts that an alarm compares are there from the beginning (deploy/monitoring/job.py).
    others = {"measured": 0, "rejected_sensor": 0, "faulty_tariffs": 0}
    assert at_first == {"resolved": 0, "unpriced": 0, "rejected_foreign_device": 0, **others}
    counted = {"resolved": 3, "unpriced": 2, "unpriced_no_contract": 1, "unpriced_unknown_tariff": 1}
    assert context.counts == {**at_first, **counted}


def test_a_reading_of_a_foreign_device_is_not_counted_as_unpriced(context: FakeContext) -> None:
    function = ResolveReading(batch_settings(str(SAMPLES / "tariffs"), "", Job()))
    function.open(context)
    contract = {**json.loads((SAMPLES / "contracts.ndjson").read_text().splitlines()[0]), "devices": ["g-1"]}
    number, text = pd.Series([-1] * 3, dtype="int64"), pd.Series([None] * 3, dtype=object)
    documents = pd.Series([json.dumps(contract), json.dumps(contract), None], dtype=object)
    devices = pd.Series(["g-1", "g-2", "g-2"], dtype=object)
    start, interval = pd.Series([1_774_700_000_000] * 3), pd.Series([900] * 3)
    arrival, revision = pd.Series(pd.to_datetime(start, unit="ms")), pd.Series([0] * 3)
    rows = function.eval(documents, devices, arrival, revision, start, interval, *[number] * 6, text)
    assert rows["reason"].tolist() == [None, "foreign_device", "no_contract"]
    counted = {"resolved": 3, "unpriced": 1, "unpriced_no_contract": 1, "rejected_foreign_device": 1}
    assert context.counts == {**counted, "measured": 0, "rejected_sensor": 0, "faulty_tariffs": 0}


def test_the_terms_of_a_supply_point_are_a_valid_record_of_the_contracts() -> None:
    """They name no meter, so no meter has them; a faulty one is rejected."""
    terms = {
        "supply_point": "sp",
        "timezone": "Europe/Madrid",
        "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
    }
    records = pd.Series([json.dumps(terms).encode(), json.dumps({**terms, "assignments": []}).encode()])
    checked = CheckContract().eval(
        records, pd.Series(["default"] * 2), pd.Series(pd.to_datetime([1_000, 1_000], unit="ms"))
    )
    assert checked["problem"].tolist() == [None, "terms of supply point sp: assignments must not be empty"]
    assert checked["version_ms"].tolist() == [1_000, 1_000]


@pytest.mark.parametrize(("required", "reason"), [("false", None), ("true", "foreign_device")])
def test_a_contract_without_devices_accepts_every_device_or_none(
    context: FakeContext, required: str, reason: str | None
) -> None:
    """Rows: a device of the tenant, and a back end, which is no device and always accepted."""
    function = ResolveReading(batch_settings(str(SAMPLES / "tariffs"), "", Job(require_devices=required == "true")))
    function.open(context)
    contract = (SAMPLES / "contracts.ndjson").read_text().splitlines()[0]
    assert "devices" not in json.loads(contract)
    number, text = pd.Series([-1] * 2, dtype="int64"), pd.Series([None] * 2, dtype=object)
    documents, devices = pd.Series([contract] * 2, dtype=object), pd.Series(["g-1", None], dtype=object)
    start, interval = pd.Series([1_774_700_000_000] * 2), pd.Series([900] * 2)
    arrival, revision = pd.Series(pd.to_datetime(start, unit="ms")), pd.Series([0] * 2)
    rows = function.eval(documents, devices, arrival, revision, start, interval, *[number] * 6, text)
    assert rows["reason"].tolist() == [reason, None]


def test_a_reading_that_cannot_be_priced_has_alerts(context: FakeContext, tmp_path: Path) -> None:
    """3 kWh in a quarter hour are 12 kW, of a meter whose tariff is unknown and whose multiplier is 1, then 10."""
    rule = "{rule_id: high, severity: major, signal: power_kw, when: '> 10', horizon: 3650d}"
    (tmp_path / "rules.yaml").write_text(f"rules: [{rule}]")
    function = ResolveReading(batch_settings(str(SAMPLES / "tariffs"), str(tmp_path / "rules.yaml"), Job()))
    function.open(context)
    known = {**json.loads((SAMPLES / "contracts.ndjson").read_text().splitlines()[0]), "multiplier": 1}
    known["assignments"] = [{"tariff_id": "none", "valid_from": "2026-01-01"}]
    contracts = [json.dumps(known), json.dumps({**known, "multiplier": 10})]
    absent, text = pd.Series([-1] * 2, dtype="int64"), pd.Series([None] * 2, dtype=object)
    start = pd.Series([1_774_700_000_000, 1_774_700_900_000])
    imported = pd.Series([3_000_000, 2_000_000])
    arrival, zero = pd.Series(pd.to_datetime(start + 900_000, unit="ms")), pd.Series([0] * 2)
    interval = pd.Series([900] * 2)
    documents = pd.Series(contracts, dtype=object)
    rows = function.eval(documents, text, arrival, zero, start, interval, imported, *[absent] * 5, text)
    assert rows["reason"].tolist() == ["unknown_tariff"] * 2
    samples = [decode_batch(batch).samples[-1] for batch in rows["alert_batch"]]
    assert [sample.values for sample in samples] == [{"power_kw": 12.0}, {"power_kw": 80.0}]


def test_a_reading_that_cannot_be_priced_is_a_heartbeat(context: FakeContext, tmp_path: Path) -> None:
    """Its meter sends: without the tariff, before its first assignment, or with a quantity that is too large.

    The second row is from a foreign device, and the third has no contract: nobody knows that it is of the meter.
    """
    (tmp_path / "rules.yaml").write_text("rules: [{rule_id: silent, severity: major, no_data: 20m}]")
    function = ResolveReading(batch_settings(str(SAMPLES / "tariffs"), str(tmp_path / "rules.yaml"), Job()))
    function.open(context)
    contract = {**json.loads((SAMPLES / "contracts.ndjson").read_text().splitlines()[0]), "devices": ["g-1"]}
    unknown = {**contract, "assignments": [{"tariff_id": "none", "valid_from": "2026-01-01"}]}
    later = {**contract, "assignments": [{"tariff_id": "eur-flat", "valid_from": "2030-01-01"}]}
    large = {**contract, "multiplier": 100_000}
    documents = pd.Series(
        [json.dumps(contract), json.dumps(contract), None, *map(json.dumps, (unknown, later, large))], dtype=object
    )
    devices = pd.Series(["g-1", "g-2", "g-1", "g-1", "g-1", "g-1"], dtype=object)
    count = len(documents)
    number, text = pd.Series([-1] * count, dtype="int64"), pd.Series([None] * count, dtype=object)
    energy = pd.Series([(1 << 49) - 1] * count, dtype="int64")
    start, interval = pd.Series([1_774_700_000_000] * count), pd.Series([900] * count)
    arrival, revision = pd.Series(pd.to_datetime(start, unit="ms")), pd.Series([0] * count)
    rows = function.eval(documents, devices, arrival, revision, start, interval, energy, *[number] * 5, text)
    assert rows["reason"].tolist() == [
        None, "foreign_device", "no_contract", "unknown_tariff", "no_assignment", "quantity_out_of_range",
    ]  # fmt: skip
    assert [marks is not None for marks in rows["heartbeats"]] == [True, False, False, True, True, True]
    assert rows["site_path"].isna().tolist() == [False, True, True, False, False, False]


def test_faulty_tariff_documents_are_counted_at_each_read(context: FakeContext, tmp_path: Path) -> None:
    """Two reads with one faulty document, then one without: 1 + 1 + 0."""
    (tmp_path / "a.json").write_text("{")
    function = ResolveReading(batch_settings(str(tmp_path), "", Job()))
    function.open(context)
    function._refresh_cache()
    function._refresh_cache()  # not due yet
    assert context.counts["faulty_tariffs"] == 1
    function.registry.reload()
    function._refresh_cache()
    (tmp_path / "a.json").unlink()
    function.registry.reload()
    function._refresh_cache()
    assert context.counts["faulty_tariffs"] == 2


def test_rows_are_counted_and_their_values_returned(context: FakeContext) -> None:
    function = Counted("duplicates")
    function.open(context)
    assert function.eval(pd.Series([900, 300])).tolist() == [900, 300]
    assert context.counts == {"duplicates": 2}


def test_a_large_payload_is_split_without_loss() -> None:
    payload = bytes(range(256)) * (PART_BYTES // 256 * 2 + 1)
    parts = list(SplitPayload().eval(payload))
    assert [(part, of) for part, of, _ in parts] == [(0, 3), (1, 3), (2, 3)]
    assert b"".join(piece for *_, piece in parts) == payload
    assert list(SplitPayload().eval(b"")) == [(0, 1, b"")]
