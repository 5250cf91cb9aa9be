"""Readings that are hardly meant are said, by meter; fields that are ignored are named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.imports.fields import unknown_fields
from flink_job.imports.plausible import Arrays, by_meter, doubts

DAY_MS = 86_400_000
QUARTER_MS = 900_000


def series(step_ms: int, interval_ms: int, values: list[int]) -> Arrays:
    starts = np.arange(len(values), dtype=np.int64) * step_ms
    return Arrays(starts, np.full(len(values), interval_ms), np.array(values, dtype=np.int64))


UPS_AND_DOWNS = [1_000_000, 2_000_000] * 10


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (series(QUARTER_MS, QUARTER_MS, UPS_AND_DOWNS), None),
        (series(4 * QUARTER_MS, QUARTER_MS, UPS_AND_DOWNS), "interval_s is 15min, but readings begin 1h apart: each"),
        (series(QUARTER_MS, 4 * QUARTER_MS, UPS_AND_DOWNS), "interval_s is 1h, but readings begin 15min apart: they"),
        # Of few readings nothing is said.
        (series(QUARTER_MS, 4 * QUARTER_MS, UPS_AND_DOWNS[:3]), None),
        (series(QUARTER_MS, QUARTER_MS, list(range(12))), "values only rise"),
        (series(QUARTER_MS, QUARTER_MS, list(range(11))), None),
        (series(QUARTER_MS, QUARTER_MS, [5_000_000] * 20), None),
    ],
)
def test_what_is_hardly_meant_is_said(data: Arrays, text: str | None) -> None:
    found = list(doubts({"m": data}))
    assert found == [] if text is None else text in found[0]
    assert len(found) == (text is not None)


def test_the_highest_power_is_no_doubt_and_one_unit_more_is() -> None:
    """10 MW are 2,500 kWh in a quarter of an hour."""
    assert not list(doubts({"m": series(QUARTER_MS, QUARTER_MS, [2_500_000_000])}))
    [line] = doubts({"m": series(QUARTER_MS, QUARTER_MS, [2_500_000_001])})
    assert line.startswith("meter m: 2,500 kWh in 15min, more than 10,000 kW: check the unit")


def test_meters_with_the_same_doubt_have_one_line() -> None:
    wrong = series(4 * QUARTER_MS, QUARTER_MS, UPS_AND_DOWNS)
    [line] = doubts({"a": wrong, "b": series(QUARTER_MS, QUARTER_MS, UPS_AND_DOWNS), "c": wrong, "d": wrong})
    assert line.startswith("meter a (and 2 more): ")


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(20)), st.sampled_from([300, 900, 3600]))
def test_the_order_of_readings_does_not_matter(order: list[int], interval_s: int) -> None:
    rows = [("m", n * 3_600_000, interval_s * 1000, UPS_AND_DOWNS[n]) for n in range(20)]
    assert list(doubts(by_meter(rows[n] for n in order))) == list(doubts(by_meter(rows)))


def test_ignored_fields_are_named_with_what_was_meant(tmp_path: Path) -> None:
    row = {"meter_id": "m", "interval_start": 0, "interval_s": 900, "enrgy_kwh": 1, "multiplyer": 40, "zz": 1}
    path = tmp_path / "r.ndjson.gz"
    path.write_bytes(gzip.compress(f"{json.dumps(row)}\nbroken\n[1]\n{json.dumps(row)}\n".encode()))
    assert sorted(unknown_fields(str(path))) == [
        "r.ndjson.gz: field 'enrgy_kwh' is ignored (2 records): do you mean energy_kwh?",
        "r.ndjson.gz: field 'multiplyer' is ignored (2 records): multiplier is a field of contracts",
        "r.ndjson.gz: field 'zz' is ignored (2 records)",
    ]


def test_known_fields_are_not_named(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("meter_id,ts,interval_s,kwh,register_id\nm,0,900,1,r\n")
    assert list(unknown_fields(str(tmp_path / "r.csv"))) == []
    (tmp_path / "e.ndjson").write_text('{"metering_envelope":1,"payload":"e30="}\n')
    assert list(unknown_fields(str(tmp_path / "e.ndjson"))) == []
    assert list(unknown_fields(str(tmp_path / "none.ndjson"))) == []
