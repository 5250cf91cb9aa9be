"""The projected bill: a load that goes on as it began projects the bill that it ends with."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.alerts.bill_signals import bills_of
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.rating import bill
from flink_job.tariffs.state import Basis, State

SAMPLES = Path(__file__).resolve().parents[3] / "sample_data" / "tariffs"
MADRID = ZoneInfo("Europe/Madrid")
QUARTER_MS = 900_000
#: Tariffs that the stream prices in any order of arrival.
TARIFFS = ("eur-flat", "eur-tou-2026-04", "eur-demand", "inr-tod-demand", "inr-shared-tiers")
CONSTANT_UKWH = 10_416_667
PEAK_UKWH = 25_000_000


def tariff(name: str) -> Tariff:
    return read_tariff(json.loads((SAMPLES / f"{name}.json").read_text()))


def segment_of(used: Tariff, first: date, until: date) -> Segment:
    start_ms, end_ms = local_midnight_ms(first, MADRID), local_midnight_ms(until, MADRID)
    days = (until - first).days
    return Segment(used.tariff_id, used.version, first, start_ms, end_ms, days, days, start_ms, end_ms)


def history(used: Tariff, segment: Segment, first_ukwh: int) -> tuple[np.ndarray, State]:
    """(end, state after) of each quarter hour of a cycle: 41.7 kW all the time, but for its first quarter hour."""
    start = np.arange(segment.cycle_start_ms, segment.cycle_end_ms, QUARTER_MS)
    ukwh = np.full(len(start), CONSTANT_UKWH)
    ukwh[0] = first_ukwh
    period = Timeline(used.calendar, MADRID).periods_at(start)
    slots = np.array([used.demand_periods.get(name, 0) for name in used.periods])[period]
    imported = [np.cumsum(np.where(period == p, ukwh, 0)) for p in range(len(used.periods))]
    peaks = [np.maximum.accumulate(np.where(slots == s, ukwh, 0)) for s in range(len(used.tou_demand) + 1)]
    peaks[0] = np.maximum.accumulate(ukwh)
    exported = [np.zeros(len(start), dtype=np.int64)] * len(used.periods)
    return start + QUARTER_MS, State(tuple(imported), tuple(exported), tuple(peaks))


def projections(name: str, first: date, until: date, first_ukwh: int) -> tuple[np.ndarray, float]:
    """(projected bill after each quarter hour, final bill)."""
    used = tariff(name)
    segment = segment_of(used, first, until)
    end, state = history(used, segment, first_ukwh)
    index = np.zeros(len(end), dtype=np.int64)
    length_ms = np.array([segment.segment_end_ms - segment.segment_start_ms])
    last = State(*(tuple(column[-1:] for column in part) for part in state[:3]), length_ms)
    final = bill(used, Basis.of([segment], index[-1:]), last).cost[0] / 1e6
    return bills_of(used, [segment], index, state, end)[1], final


@pytest.mark.parametrize("name", TARIFFS)
@pytest.mark.parametrize("first", [date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 15), date(2026, 10, 5)])
@pytest.mark.parametrize("first_ukwh", [CONSTANT_UKWH, PEAK_UKWH])
def test_constant_load_projects_its_own_bill_from_the_third_day(name: str, first: date, first_ukwh: int) -> None:
    until = (first.replace(day=28) + timedelta(days=4)).replace(day=first.day)
    projected, final = projections(name, first, until, first_ukwh)
    known = projected[~np.isnan(projected)]
    # A tenth of a cycle is at most 3.1 days.
    assert len(projected) - len(known) <= 3.1 * 96
    np.testing.assert_allclose(known, final, rtol=0.01)
    assert known[-1] == pytest.approx(final, rel=1e-9)


def test_one_peak_on_the_first_day_is_not_charged_again_every_day() -> None:
    """The demand charge and the tax on it are there once, however early in the cycle: 1,000 kWh a day, 100 kW once."""
    projected, final = projections("eur-demand", date(2026, 3, 1), date(2026, 4, 1), PEAK_UKWH)
    assert projected[4 * 96 - 1] == pytest.approx(final, rel=0.01)
    assert final > 4500


def test_no_projection_in_the_first_tenth_of_a_cycle() -> None:
    projected, _ = projections("eur-flat", date(2026, 4, 1), date(2026, 5, 1), CONSTANT_UKWH)
    assert np.isnan(projected[: 3 * 96 - 1]).all()
    assert not np.isnan(projected[3 * 96 - 1 :]).any()


def test_spans_are_the_periods_of_their_instants_across_clock_change_and_year() -> None:
    used = tariff("eur-demand")
    for first, until in ((date(2026, 3, 15), date(2026, 4, 15)), (date(2026, 12, 15), date(2027, 1, 15))):
        timeline = Timeline(used.calendar, MADRID)
        start_ms, end_ms = local_midnight_ms(first, MADRID), local_midnight_ms(until, MADRID)
        starts, periods = timeline.spans(start_ms, end_ms)
        instants = np.arange(start_ms, end_ms, QUARTER_MS)
        np.testing.assert_array_equal(
            periods[np.searchsorted(starts, instants, "right") - 1], timeline.periods_at(instants)
        )
        assert starts[0] == start_ms
        assert (np.diff(starts) > 0).all()
        assert datetime.fromtimestamp(starts[-1] / 1000, MADRID).date() < until
