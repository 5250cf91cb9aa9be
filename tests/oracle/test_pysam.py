"""Our bills against NREL's PySAM: the same URDB documents, the same measured loads, month by month.

PySAM's year has no 29 February, no clock changes, and begins on a Monday. 2018 does as well, in a zone of fixed offset:
its calendar is the real one. (Fed with another year unchanged, PySAM is up to 10 % off: docs/reference/tariffs.md.)
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_job.billing.run import BILL_COLUMNS
from flink_job.dataflow.environment import PROJECT
from flink_job.tariffs.urdb import from_urdb
from tests.harness.jobs import SAMPLES, command
from tests.oracle.urdb import DAY, DOCUMENTS, FLAT, energy, schedule

PYTHON = PROJECT / ".venv-oracle" / "bin" / "python"
DRIVER = Path(__file__).parent / "pysam_bill.py"
METERS = ("metal-works", "factory", "home-pv")
HOURS = 8760
#: Of each monthly amount, in the currency.
TOLERANCE = 1e-4


def pysam(cases: list[dict[str, Any]]) -> list[dict[str, list[float]]]:
    done = subprocess.run(
        [PYTHON, DRIVER], input=json.dumps(cases), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[dict[str, list[float]]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def loads() -> dict[str, np.ndarray]:
    """Net energy [kWh] of each interval of the year, by meter."""

    found: dict[str, list[float]] = {meter: [] for meter in METERS}
    with gzip.open(SAMPLES / "year.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            found[row["meter_id"]].append(float(row["kwh"]))
    return {meter: np.array(values) for meter, values in found.items()}


def net_metered(document: dict[str, Any]) -> dict[str, Any]:
    """State the rule that PySAM assumes where a document has none; the importer credits nothing there."""
    return {"dgrules": "Net Metering", **document}


def case(document: dict[str, Any], net_kwh: np.ndarray, **rates: Any) -> dict[str, Any]:
    kw = net_kwh * len(net_kwh) / HOURS
    load, generation = np.maximum(kw, 0), np.maximum(-kw, 0)
    return {
        "urdb": net_metered(document),
        "load_kw": load.tolist(),
        "generation_kw": generation.tolist(),
        "rates": rates,
    }


def ours(
    document: dict[str, Any], folder: Path, readings: Path = SAMPLES / "year.csv.gz"
) -> dict[str, dict[str, np.ndarray]]:
    """Twelve amounts of each column of bills.csv, by meter, from the command line."""
    (folder / "urdb.json").write_text(json.dumps(net_metered(document)))
    command(
        "rate",
        "--tariff",
        folder / "urdb.json",
        "--readings",
        readings,
        "--timezone",
        "Etc/GMT-1",
        "--out",
        folder / "out",
    )
    found: dict[str, dict[str, list[float]]] = {}
    for row in csv.DictReader((folder / "out" / "bills.csv").open()):
        for column in row.keys() - {*BILL_COLUMNS[:7]}:
            found.setdefault(row["meter_id"], {}).setdefault(column, []).append(float(row[column]))
    return {meter: {column: np.array(values) for column, values in lines.items()} for meter, lines in found.items()}


def assert_same(
    bill: dict[str, np.ndarray], theirs: dict[str, list[float]], lines: str = "energy demand fixed minimum total"
) -> None:
    amounts = {
        "energy": (bill["energy_cost"] + bill["export_credit"], np.array(theirs["energy"])),
        "demand": (bill["demand_cost"], np.array(theirs["demand_flat"]) + np.array(theirs["demand_periods"])),
        "fixed": (bill["fixed_cost"], np.array(theirs["fixed"])),
        "minimum": (bill["minimum_cost"], np.array(theirs["minimum"])),
        "total": (bill["cost"], np.array(theirs["total"])),
    }
    for line in lines.split():
        mine, other = amounts[line]
        np.testing.assert_allclose(mine, other, rtol=0, atol=TOLERANCE, err_msg=line)


@pytest.fixture(scope="module")
def theirs(loads: dict[str, np.ndarray]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """PySAM's answers for every document and meter, in one run of it."""
    keys = [(name, meter) for name in DOCUMENTS for meter in METERS]
    answers = pysam([case(DOCUMENTS[name], loads[meter]) for name, meter in keys])
    return dict(zip(keys, answers, strict=True))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_charge_of_every_month(name: str, theirs: Any, tmp_path: Path) -> None:
    bills = ours(DOCUMENTS[name], tmp_path)
    for meter in METERS:
        assert_same(bills[meter], theirs[name, meter])
        assert np.abs(bills[meter]["cost"]).sum() > 1


# Deliberate differences: each with its reason.


def test_daily_and_yearly_charges_count_actual_days(loads: Any, tmp_path: Path) -> None:
    # PySAM charges 365/12 days in every month; a bill counts the month's own: 31 in January, 28 in February.
    by_day = energy(FLAT, FLAT, [{"rate": 0.1}], fixedchargefirstmeter=2, fixedchargeunits="$/day")
    assert pysam([case(by_day, loads["home-pv"])])[0]["fixed"][0] == pytest.approx(2 * 365 / 12)
    fixed = ours(by_day, tmp_path)["home-pv"]["fixed_cost"]
    assert list(fixed[:3]) == [62.0, 56.0, 62.0]
    # PySAM charges a twelfth; January is 31 of 365 days. Over the year both are the same.
    by_year = energy(FLAT, FLAT, [{"rate": 0.1}], fixedchargefirstmeter=365, fixedchargeunits="$/year")
    assert pysam([case(by_year, loads["home-pv"])])[0]["fixed"][0] == pytest.approx(365 / 12)
    fixed = ours(by_year, tmp_path)["home-pv"]["fixed_cost"]
    assert (fixed[0], fixed[1], fixed.sum()) == (31.0, 28.0, 365.0)


def test_monthly_fuel_adjustments_are_charged(loads: Any, tmp_path: Path) -> None:
    # PySAM's converter passes over fueladjustmentsmonthly; the utility does not.
    adjusted = energy(FLAT, FLAT, [{"rate": 0.1}], fueladjustmentsmonthly=[0.01] + [0] * 10 + [-0.02])
    plain = np.array(pysam([case(adjusted, loads["factory"])])[0]["energy"])
    kwh = plain / 0.1
    expected = plain + kwh * np.array([0.01] + [0] * 10 + [-0.02])
    np.testing.assert_allclose(ours(adjusted, tmp_path)["factory"]["energy_cost"], expected, atol=TOLERANCE)


def test_ratchet_bills_the_months_own_peak_in_full(loads: Any, tmp_path: Path) -> None:
    # PySAM's converter bills 80 % of the month's own peak too; with its flag for the own peak set it bills as we do.
    document = energy(
        DAY,
        FLAT,
        [{"rate": 0.05}],
        [{"rate": 0.08}],
        flatdemandstructure=[[{"rate": 10.0}]],
        flatdemandmonths=[0] * 12,
        lookbackpercent=0.8,
        lookbackrange=4,
    )
    as_converted = case(document, loads["factory"])
    with_own_peak = case(document, loads["factory"], ur_billing_demand_lookback_percentages=[[80, 1]] * 12)
    converted, own = pysam([as_converted, with_own_peak])
    bill = ours(document, tmp_path)["factory"]
    assert_same(bill, own)
    assert bill["demand_cost"][0] > converted["demand_flat"][0] + converted["demand_periods"][0] + 100


def test_ratchet_counts_only_the_months_that_the_document_names(loads: Any, tmp_path: Path) -> None:
    # PySAM's one shared list of percentages makes lookbackmonths mean nothing.
    structure = {"flatdemandstructure": [[{"rate": 1.0}]], "flatdemandmonths": [0] * 12}
    summer = energy(
        FLAT,
        FLAT,
        [{"rate": 0.05}],
        lookbackpercent=1.0,
        lookbackrange=11,
        lookbackmonths=[0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
        **structure,
    )
    peaks = [float(month.max() * 4) for month in np.split(loads["factory"], np.cumsum(np.array(_DAYS) * 96)[:-1])]
    summer_peak = np.maximum.accumulate([peak if month in (5, 6) else 0 for month, peak in enumerate(peaks)])
    floor = np.append(0, summer_peak[:-1])
    expected = np.maximum(peaks, floor)
    np.testing.assert_allclose(ours(summer, tmp_path)["factory"]["demand_cost"], expected, atol=TOLERANCE)


_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def test_carried_over_credit_left_in_december_is_a_credit_on_the_bill(loads: Any, tmp_path: Path) -> None:
    # PySAM pays it out in the total alone; our lines add up to the total.
    document = energy(
        DAY, FLAT, [{"rate": 0.02, "sell": 0.2}], [{"rate": 0.03, "sell": 0.3}], dgrules="Net Billing Hourly"
    )
    theirs = pysam([case(document, loads["home-pv"])])[0]
    bill = ours(document, tmp_path)["home-pv"]
    assert_same(bill, theirs, "demand fixed minimum total")
    assert bill["export_credit"][-1] < theirs["energy"][-1] - 50


def test_bank_of_a_period_that_pysam_does_not_look_at_is_kept(tmp_path: Path) -> None:
    # PySAM rolls a period's surplus over if it is in force at 0, 6, 12 or 18 o'clock of a weekday; this peak,
    # 14 to 17 h, is at none of them: PySAM loses 1767 kWh (31 days x 3 h x 19 kW) of January.
    peak = schedule(lambda month, hour: int(14 <= hour < 17))
    document = energy(peak, peak, [{"rate": 0.1}], [{"rate": 0.2}], dgrules="Net Metering")
    net = np.array([1.0 - 20.0 * (14 <= hour % 24 < 17 and hour < 744) for hour in range(HOURS)])
    theirs = pysam([case(document, net)])[0]
    # February: 28 days x 21 h x 0.1 = 58.80; the peak's 28 x 3 h x 0.2 = 16.80 is paid for by the bank.
    assert theirs["energy"][1] == pytest.approx(75.6)
    assert _one_meter(document, net, tmp_path)["energy_cost"][1] == pytest.approx(58.8)


def test_year_that_does_not_begin_on_a_monday(loads: Any, tmp_path: Path) -> None:
    # The calendar trap: 2025 begins on a Wednesday, so weekday prices of the same load fall on other days.
    document = DOCUMENTS["seasonal time of use"] | {"energyweekendschedule": FLAT}
    as_2018 = _one_meter(document, loads["metal-works"], tmp_path)["energy_cost"].sum()
    as_2025 = _one_meter(document, loads["metal-works"], tmp_path, year=2025)["energy_cost"].sum()
    theirs = sum(pysam([case(document, loads["metal-works"])])[0]["energy"])
    assert as_2018 == pytest.approx(theirs, abs=12 * TOLERANCE)
    assert abs(as_2025 / theirs - 1) > 0.05


def _one_meter(document: dict[str, Any], net_kwh: np.ndarray, folder: Path, year: int = 2018) -> dict[str, np.ndarray]:
    """Bills of a year of net energy that begins on 1 January of `year`."""
    step = HOURS * 3600 // len(net_kwh)
    starts = np.datetime64(f"{year}-01-01T00:00:00") + np.arange(len(net_kwh)) * np.timedelta64(step, "s")
    rows = (f"meter,{start},{step},{kwh:.6f}\n" for start, kwh in zip(starts, net_kwh, strict=True))
    readings = folder / "readings.csv"
    readings.write_text("meter_id,ts,interval_s,kwh\n" + "".join(rows))
    return ours(document, folder, readings)["meter"]


def test_negative_prices_lower_the_bill(tmp_path: Path) -> None:
    # A rider that credits 0.05 per kWh: 744 h x 10 kW in January. PySAM's energy charge does not go below zero.
    document = energy(FLAT, FLAT, [{"rate": -0.05}])
    net = np.full(HOURS, 10.0)
    assert pysam([case(document, net)])[0]["energy"][0] == 0
    assert _one_meter(document, net, tmp_path)["energy_cost"][0] == -372.0


def test_year_end_price_is_paid_for_what_was_banked(tmp_path: Path) -> None:
    # By day (8 to 20 h of weekdays) 1 kWh in, 2 out each hour; by night 1 in. The night's kWh are paid for month by
    # month, the day's surplus of 261 weekdays x 12 h x 1 kWh is banked. PySAM nets it with the night, paid for already.
    document = energy(DAY, FLAT, [{"rate": 0.1}], [{"rate": 0.2}], dgrules="Net Metering")
    net = np.array([-1.0 if 8 <= h % 24 < 20 and h // 24 % 7 < 5 else 1.0 for h in range(HOURS)])
    theirs = pysam([case(document, net, ur_nm_yearend_sell_rate=0.05)])[0]
    assert theirs["total"][-1] == pytest.approx(theirs["energy"][-1])
    ours_, document_ = tmp_path / "ours.json", from_urdb(document, "Etc/GMT-1", "USD")
    ours_.write_text(json.dumps({**document_, "export": {"rule": "net_metering", "year_end_price": "0.05"}}))
    readings = tmp_path / "readings.csv"
    starts = np.datetime64("2018-01-01T00:00:00") + np.arange(HOURS) * np.timedelta64(3600, "s")
    rows = (f"meter,{start},3600,{kwh}\n" for start, kwh in zip(starts, net, strict=True))
    readings.write_text("meter_id,ts,interval_s,kwh\n" + "".join(rows))
    command("rate", "--tariff", ours_, "--readings", readings, "--timezone", "Etc/GMT-1", "--out", tmp_path / "out")
    december = list(csv.DictReader((tmp_path / "out" / "bills.csv").open()))[-1]
    assert float(december["export_credit"]) == pytest.approx(-261 * 12 * 0.05)
