"""Pictures of bills show the amounts of the bills."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.billing.run import BilledCycle, Totals
from flink_job.commands.bill_chart import ChartError, cost_by_month, draw_bills, draw_comparison, load_by_hour
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.history.rate import Bill
from tests.harness.jobs import SAMPLES, command

MADRID = ZoneInfo("Europe/Madrid")
HOUR_MS = 3_600_000
#: 00:00 in Madrid of 29 March 2026, when 02:00 becomes 03:00.
MIDNIGHT_MS = 1_774_738_800_000


def billed(meter: str, start: date, **lines: int) -> BilledCycle:
    return BilledCycle(meter, Bill("t", "1", start, start, start, dict.fromkeys(LINES, 0) | lines), "EUR", 0, 0)


def intervals(*hours: tuple[int, int]) -> Intervals:
    """Quarter hours of (hours after midnight, 1e-6 kWh)."""
    start, ukwh = np.array(hours, dtype=np.int64).T
    nothing = np.zeros_like(ukwh)
    return Intervals(MIDNIGHT_MS + start * HOUR_MS, np.full_like(start, 900_000), ukwh, nothing, nothing, nothing)


def test_costs_are_summed_by_month_and_charge() -> None:
    bills = [
        billed("a", date(2026, 2, 1), energy=2_000_000, export=-500_000),
        billed("b", date(2026, 2, 15), energy=1_000_000),
        billed("a", date(2026, 3, 1), energy=4_000_000, tax=250_000),
    ]
    months, costs = cost_by_month(bills)
    assert months == ["2026-02", "2026-03"]
    assert costs == {"energy": [3, 4], "export": [-0.5, 0], "tax": [0, 0.25]}


def test_load_is_by_local_hour_and_day_over_all_meters() -> None:
    # The second hour after midnight is 03:00 of a clock that was put forward; the day has 23 hours.
    a, b = intervals((0, 1_000_000), (2, 2_000_000), (23, 3_000_000)), intervals((2, 500_000), (47, 7_000_000))
    days, load = load_by_hour({"a": a, "b": b}, MADRID)
    assert days == [date(2026, 3, 29), date(2026, 3, 30), date(2026, 3, 31)]
    assert load.shape == (24, 3)
    found = {(int(hour), int(day)): load[hour, day] for hour, day in np.argwhere(~np.isnan(load))}
    assert found == {(0, 0): 1, (3, 0): 2.5, (0, 1): 3, (0, 2): 7}


def test_the_picture_of_the_sample_year_has_the_amounts_of_bills_csv(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "bills.png"
    said = command(
        *("rate", "--tariff", SAMPLES / "tariffs" / "eur-demand.json", "--readings", SAMPLES / "year.csv.gz"),
        *("--timezone", "Etc/GMT-1", "--any-date", "--out", tmp_path, "--chart", picture),
    )
    assert f"chart: {picture}" in said.replace("\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    by_month: defaultdict[str, float] = defaultdict(float)
    for row in csv.DictReader((tmp_path / "bills.csv").open()):
        by_month[row["cycle_start"][:7]] += float(row["cost"])
    assert len(by_month) == 12
    assert sum(by_month.values()) == pytest.approx(148_913.598780)


def test_vector_pictures_too(tmp_path: Path) -> None:
    bills = [billed("a", date(2026, 2, 1), energy=2_000_000_000, export=-500_000_000)]
    draw_bills(bills, {"a": intervals((0, 1_000_000))}, MADRID, tmp_path / "b.svg")
    totals = Totals()
    totals.lines.update(bills[0].bill.lines)
    draw_comparison([("t", "EUR", totals), ("u", "INR", totals)], tmp_path / "c.svg")
    for name in ("b", "c"):
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_a_picture_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match=r"b\.docx"):
        draw_bills([billed("a", date(2026, 2, 1))], {"a": intervals((0, 1))}, MADRID, tmp_path / "b.docx")
