"""Explanations of costs and bills: derivations that add up to the last digit, for every kind of charge."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.billing.explain import Metered, explain_bill, explain_reading, meter_named
from flink_job.billing.explain_report import as_html, as_json, as_text
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.explain import Entry, Explanation, ExplanationError
from flink_job.tariffs.history import BillingTerms, Intervals, versions_in_force
from flink_job.tariffs.model import Tariff
from tests.harness.kinds import HEAD, KINDS
from tests.unit.tariffs.test_laws import EPOCH, MADRID, QUARTER_MS, SPOT, TERMS, loads

HOUR_MS = 3_600_000
#: 2026-01-01 00:00 in Madrid.
JANUARY = 1_767_222_000_000


@pytest.fixture(scope="module", params=KINDS)
def tariff(request: pytest.FixtureRequest) -> Tariff:
    return read_tariff(KINDS[request.param])


def metered(versions: list[Tariff], data: Intervals, terms: BillingTerms = TERMS) -> Metered:
    return Metered("m", data, versions_in_force(versions), terms, SPOT)


def of_document(document: dict[str, Any], starts: list[int], kwh: list[str], length_ms: int = HOUR_MS) -> Metered:
    energy = np.array([int(Decimal(k) * 1_000_000) for k in kwh], dtype=np.int64)
    data = Intervals.of(np.array(starts, dtype=np.int64), np.full(len(starts), length_ms), energy)
    return metered([read_tariff({**HEAD, **document})], data, BillingTerms(MADRID))


def entries(explanation: Explanation, line: str) -> dict[str, Fraction]:
    found = next(one for one in explanation.lines if one.name == line)
    return {entry.label: entry.amount for entry in found.entries}


@given(data=loads(), which=st.integers(0, 59))
@settings(max_examples=12, deadline=None)
def test_every_bill_and_cost_adds_up(tariff: Tariff, data: Intervals, which: int) -> None:
    """Every derivation is checked against the stored lines: it raises an error if it does not add up."""
    check_all([tariff], data, which)


@given(data=loads(), which=st.integers(0, 59), day=st.integers(1, 27))
@settings(max_examples=8, deadline=None)
def test_a_cycle_with_two_versions_adds_up(tariff: Tariff, data: Intervals, which: int, day: int) -> None:
    border = date(2026, 3, day)
    check_all([replace(tariff, valid_to=border), replace(tariff, version="2", valid_from=border)], data, which)


def check_all(versions: list[Tariff], data: Intervals, which: int) -> None:
    meter = metered(versions, data)
    history = meter.history()
    row = which % len(data.start_ms)
    cost = explain_reading(meter, int(data.start_ms[row]))
    assert cost.amount == sum(int(history.costs[line][row]) for line in LINES)
    bills = [each for day in {bill.cycle_start for bill in history.bills} for each in explain_bill(meter, day)]
    assert sum(each.amount for each in bills) == sum(bill.total for bill in history.bills)
    for each in (cost, *bills):
        for entry in (entry for line in each.lines for entry in line.entries):
            assert_product(entry)
    for document in json.loads(as_json([cost, *bills])):
        for line in document["lines"]:
            shown = sum((Decimal(entry["amount"]) for entry in line["entries"]), Decimal(line["rounding"]))
            assert shown == Decimal(line["amount"])


def assert_product(entry: Entry) -> None:
    """Quantity x price x factor is the amount: of each state, up to roundings to 1e-6; a tax may be at its floor."""
    for term in filter(None, (entry.before, entry.after)):
        if term.quantity is not None and term.price is not None and "at least" not in term.note:
            assert abs(term.quantity * term.price * term.factor - term.amount) <= Fraction(8, 1_000_000)


def test_a_bill_by_hand() -> None:
    """January, two hours: 3 kWh at 02:00 and 500 kWh at 10:00.

    Energy: tier 1 to 400 kWh at 0.20 = 80, tier 2: 103 kWh at 0.10 = 10.30. Demand: 500 kW x 2 = 1000, set at 10:00.
    Fixed: 31 of 31 days of 6.20. Tax: 10 % of 1096.50 = 109.65. Sum 1206.15.
    """
    document = {
        "energy": {"periods": {"all": [{"price": "0.20", "max": "400"}, {"price": "0.10"}]}},
        "demand": {"window_s": 3600, "flat": [{"price": "2"}]},
        "fixed": [{"name": "meter rental", "amount": "6.20", "per": "month"}],
        "taxes": [{"name": "VAT", "rate": "0.10", "base": ["energy", "demand", "fixed"]}],
    }
    meter = of_document(document, [JANUARY + 2 * HOUR_MS, JANUARY + 10 * HOUR_MS], ["3", "500"])
    (bill,) = explain_bill(meter, date(2026, 1, 15))
    assert bill.amount == 1_206_150_000
    assert entries(bill, "energy") == {
        "all, tier 1 (up to 400 kWh)": Fraction(80),
        "all, tier 2 (above 400 kWh)": Fraction("10.3"),
    }
    assert entries(bill, "demand") == {"peak of all hours": Fraction(1000)}
    assert entries(bill, "fixed") == {"meter rental": Fraction("6.2")}
    assert entries(bill, "tax") == {"VAT": Fraction("109.65")}
    text = as_text([bill])
    assert "103 kWh × 0.1 EUR/kWh" in text
    assert "500 kW in the demand interval from 2026-01-01 10:00" in text
    assert "1,096.5 EUR × 10 %" in text


def test_a_reading_by_hand() -> None:
    """The second reading of the bill above fills tier 1 (397 kWh, 79.40), and raises the peak from 3 to 500 kW (994).

    It is the last, and so has the fixed charge of the rest of the month: 6.20 less 3 of 744 hours.
    """
    document = {
        "energy": {"periods": {"all": [{"price": "0.20", "max": "400"}, {"price": "0.10"}]}},
        "demand": {"window_s": 3600, "flat": [{"price": "2"}]},
        "fixed": [{"name": "meter rental", "amount": "6.20", "per": "month"}],
    }
    meter = of_document(document, [JANUARY + 2 * HOUR_MS, JANUARY + 10 * HOUR_MS], ["3", "500"])
    cost = explain_reading(meter, JANUARY + 10 * HOUR_MS)
    assert entries(cost, "energy") == {
        "all, tier 1 (up to 400 kWh)": Fraction("79.4"),
        "all, tier 2 (above 400 kWh)": Fraction("10.3"),
    }
    assert entries(cost, "demand") == {"peak of all hours": Fraction(994)}
    assert (cost.before, cost.after) == (6_625_000, 1_096_500_000)
    assert "3 → 400 kWh" in as_text([cost])
    assert "bill before 6.625, after 1,096.50 EUR" in as_text([cost])


def test_power_and_excess_by_hand() -> None:
    """Contracted 10 kW at 36.5 a kW and year: 31 days of 365 are 31.00. Demands of 13 and 14 kW: root of 9 + 16 = 5 kW.

    5 kW at 1.5 are 7.50.
    """
    document = {
        "energy": {"periods": {"all": [{"price": "0"}]}},
        "demand": {"window_s": 900},
        "contracted_power": {
            "periods": {"all": "36.5"},
            "kw": {"all": "10"},
            "excess": {"rule": "root_of_squares", "prices": {"all": "1.5"}},
        },
    }
    starts = [JANUARY, JANUARY + QUARTER_MS, JANUARY + 2 * QUARTER_MS]
    meter = of_document(document, starts, ["3.25", "3.5", "1"], QUARTER_MS)
    (bill,) = explain_bill(meter, date(2026, 1, 1))
    assert entries(bill, "fixed") == {"power all": Fraction(31)}
    assert entries(bill, "demand") == {"excess all": Fraction("7.5")}
    assert "above 10 kW contracted: root of the sum of the squares of 2 demand intervals" in as_text([bill])


def test_reactive_energy_by_hand() -> None:
    """100 kWh with 80 kvarh: free are 33 kvarh, 47 at 0.06 (cos phi 0.7809 is below 0.80) are 2.82."""
    document = {
        "energy": {"periods": {"all": [{"price": "0"}]}},
        "reactive": {
            "free_share": "0.33",
            "bands": [{"cos_phi_below": "0.95", "price": "0.04"}, {"cos_phi_below": "0.80", "price": "0.06"}],
        },
    }
    meter = of_document(document, [JANUARY], ["100"])
    meter = replace(meter, data=replace(meter.data, reactive_uvarh=np.array([80_000_000])))
    (bill,) = explain_bill(meter, date(2026, 1, 1))
    assert entries(bill, "reactive") == {"all, above 0.33 of the kWh": Fraction("2.82")}
    assert "cos phi 0.7809" in as_text([bill])


def test_a_derivation_that_does_not_add_up_names_the_difference() -> None:
    meter = of_document({"energy": {"periods": {"all": [{"price": "0.5"}]}}}, [JANUARY], ["2"])
    (bill,) = explain_bill(meter, date(2026, 1, 1))
    with pytest.raises(ExplanationError, match=r"energy is stored with \+0\.250000 EUR more than its derivation"):
        bill.check({"energy": 1_250_000})
    line = replace(bill.lines[0], entries=())
    with pytest.raises(ExplanationError, match=r"entries of energy differ by \+1\.000000 EUR"):
        replace(bill, lines=[line]).check({"energy": 1_000_000})


def test_errors_name_what_is_there() -> None:
    meter = of_document({"energy": {"periods": {"all": [{"price": "0.5"}]}}}, [JANUARY], ["2"])
    with pytest.raises(
        ExplanationError, match=r"no reading that begins at 2026-01-01 00:15.*nearest: 2026-01-01 00:00"
    ):
        explain_reading(meter, JANUARY + QUARTER_MS)
    with pytest.raises(ExplanationError, match="no bill of a cycle with 2027-05-01: its cycles begin on 2026-01-01"):
        explain_bill(meter, date(2027, 5, 1))
    with pytest.raises(ExplanationError, match="'pres' has no readings in these files; there are: press"):
        meter_named({"press": meter.data, "oven": meter.data}, "pres")


def test_an_open_bill_is_named_as_such() -> None:
    """Half of January: 15.5 of 31 days of 31.00."""
    document = {
        "energy": {"periods": {"all": [{"price": "0"}]}},
        "fixed": [{"name": "a", "amount": "31", "per": "month"}],
    }
    meter = of_document(document, [JANUARY], ["1"])
    meter = replace(meter, terms=replace(meter.terms, until_ms=JANUARY + 372 * HOUR_MS))
    (bill,) = explain_bill(meter, date(2026, 1, 1))
    assert bill.amount == 15_500_000
    assert bill.notes == ["the cycle is not closed: its time is charged up to 2026-01-16 12:00, and the bill will grow"]


def test_html_is_one_page_with_escaped_names() -> None:
    meter = of_document({"energy": {"periods": {"all": [{"price": "0.5"}]}}}, [JANUARY], ["2"])
    (bill,) = explain_bill(replace(meter, meter_id="<press>"), date(2026, 1, 1))
    page = as_html([bill])
    assert "&lt;press&gt;" in page
    assert "<press>" not in page
    assert "{{" not in page
    assert "http" not in page
    assert "2 kWh × 0.5 EUR/kWh" in page


def test_a_year_of_quarter_hours_is_explained_in_seconds() -> None:
    """35,040 readings: the work is linear, so the test takes seconds; every month adds up."""
    rng = np.random.default_rng(1)
    starts = EPOCH + np.arange(35_040) * QUARTER_MS
    energy = rng.integers(0, 6_000_000, size=len(starts))
    data = Intervals.of(starts, np.full(len(starts), QUARTER_MS), energy)
    meter = metered([read_tariff(KINDS["taxes"])], data)
    (bill,) = explain_bill(meter, date(2026, 6, 20))
    assert bill.amount == next(b.total for b in meter.history().bills if b.cycle_start == date(2026, 6, 15))
