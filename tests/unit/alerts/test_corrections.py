"""Corrected samples replace the earlier ones, in the value and in the cost of an alert: windows, and readings."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.alerts.bill_signals import signals_of
from flink_job.alerts.changes import Change
from flink_job.alerts.document import parse_rules
from flink_job.alerts.episodes import step
from flink_job.alerts.points import Point
from flink_job.alerts.prefilter import Prefilter
from flink_job.alerts.rules import Rule
from flink_job.alerts.samples import decode_batch
from flink_job.alerts.state_machine import States, observe
from flink_job.alerts.tracks import RuleState
from flink_job.metering.site import Entity

HOUR_MS = 3_600_000
#: 2026-03-28 10:00 UTC.
TEN = 1_774_692_000_000
LINE = Entity("f/p/l", "f/p/l")
SPEND = {"rule_id": "spend", "per": "line", "signal": "kpi.cost", "window": "1h", "severity": "major", "when": "> 1"}


def rule_of(**changes: str) -> Rule:
    return parse_rules(msgspec.json.encode({"rules": [{**SPEND, **changes}]})).rules[0]


class Line:
    """A line with windows of an hour: (hours after ten, value[, cost]); the cost is the value if it is not given."""

    def __init__(self, **changes: str) -> None:
        self.rule, self.state = rule_of(**changes), RuleState()
        self.changes: list[Change] = []
        self.prefilter, self.states = Prefilter(LINE, (self.rule,), "kpi", "line", 3600), States()

    def feed(self, *windows: tuple[float, ...]) -> list[tuple[str, int, float]]:
        """Process windows; returns (state, hour, cost) of each change, the same with the pre-filter and without."""
        found: list[Change] = []
        for hour, value, *cost in windows:
            at_ms, cost_u = TEN + int(hour) * HOUR_MS, round((cost or [value])[0] * 1_000_000)
            point = Point(at_ms, 3600, 0, value, cost_u)
            changes = step(self.rule, f"{LINE.name}|EUR", self.state, point, at_ms + HOUR_MS)
            assert self._filtered(at_ms, value, cost_u) == changes
            found += changes
            self.changes += changes
        return [(c.state, (c.event_ms - TEN) // HOUR_MS, c.cost_u / 1_000_000) for c in found]

    def _filtered(self, at_ms: int, value: float, cost_u: int) -> list[Change]:
        values = {self.rule.signal: value}
        output = self.prefilter.observe(at_ms, 3600, 0, cost_u, at_ms + HOUR_MS, "EUR", values)
        if output is None or not output.batch:
            return []
        return [change for _, change in observe((self.rule,), self.states, decode_batch(output.batch))]


def test_a_corrected_window_replaces_the_cost_of_an_alert() -> None:
    """1.2 is corrected to 1.6; with the next two hours 1.6 + 2.0 + 0.5 = 4.1, and not 1.2 + 1.6 + 2.0 + 0.5 = 5.3."""
    line = Line()
    assert line.feed((0, 1.2)) == [("raised", 0, 1.2)]
    assert line.feed((0, 1.6)) == []
    assert line.feed((1, 2.0), (2, 0.5)) == [("cleared", 2, 4.1)]


def test_a_correction_of_the_cost_alone_counts() -> None:
    """Completeness stays 0.5 while the cost of the hour becomes 3: 3 + 1 of the next hour."""
    line = Line(signal="kpi.completeness", when="< 0.9")
    assert line.feed((0, 0.5, 1)) == [("raised", 0, 1)]
    assert line.feed((0, 0.5, 3), (1, 1, 1)) == [("cleared", 1, 4)]


def test_a_correction_of_the_only_breach_clears_at_once() -> None:
    """3 of 16 kWh were there at the end of the hour; then the rest arrived."""
    line = Line(signal="kpi.energy_kwh", when="< 12")
    assert line.feed((0, 16), (1, 3), (1, 16)) == [("raised", 1, 3), ("cleared", 1, 16)]


def test_an_early_window_of_a_long_alert_is_corrected() -> None:
    """Twelve hours of 2; the second becomes 5 and the third 3: 10 x 2 + 5 + 3 + 0 = 28. It is one alert."""
    line = Line()
    assert line.feed(*((hour, 2) for hour in range(12)), (1, 5), (2, 3)) == [("raised", 0, 2)]
    assert line.feed((12, 0)) == [("cleared", 12, 28)]


def test_an_alert_that_ended_with_an_incomplete_window_is_raised_again() -> None:
    """The second hour had 0.9 at its end, which cleared the alert, and 1.5 when all readings were there."""
    line = Line()
    assert line.feed((0, 2), (1, 0.9)) == [("raised", 0, 2), ("cleared", 1, 2.9)]
    assert line.feed((1, 1.5)) == [("raised", 1, 3.5)]
    assert line.feed((2, 0.5)) == [("cleared", 2, 4)]


@pytest.mark.parametrize("order", [range(4), range(3, -1, -1)])
def test_hours_of_a_backlog_are_one_alert(order: Iterable[int]) -> None:
    """Six hours had nothing when they ended; then four of them have 2: 4 x 2, and one hour with 0 ends it."""
    line = Line()
    line.feed(*((hour, 0) for hour in range(6)))
    found = [change for hour in order for change in line.feed((hour, 2))]
    assert len({change.alert_id for change in line.changes}) == 1
    assert found[-1] == ("cleared", 4, 8)
    assert line.changes[-1].episode_ms == TEN


def test_a_breach_that_follows_a_corrected_window_does_not_bring_back_the_earlier_value() -> None:
    """Energy below 12 for two hours: the first hour has 16 kWh after its correction, so one hour is not enough."""
    line = Line(signal="kpi.energy_kwh", when="< 12", **{"for": "1h"})
    quiet = [(hour, 16) for hour in range(20)]
    assert line.feed(*quiet, (20, 11), (20, 16), (21, 3)) == []
    assert line.feed((22, 3)) == [("raised", 22, 6)]


def test_the_cost_of_a_corrected_reading_is_a_difference() -> None:
    """A reading of 5.00 is corrected by -2.00, twice in effect on the alert: 3.00, then 4.00 with the next."""
    rule, state = rule_of(signal="power_kw", window="", per="meter", when="> 10"), RuleState()

    def feed(at: int, revision: int, kw: float, cost: float) -> list[float]:
        at_ms = TEN + at * 900_000
        point = Point(at_ms, 900, revision, kw, round(cost * 1_000_000))
        return [change.cost_u / 1e6 for change in step(rule, "m", state, point, at_ms + 900_000)]

    assert feed(0, 0, 50, 5) == [5]
    assert feed(0, 1, 30, -2) == []
    assert feed(1, 0, 5, 1) == [4]


#: Hour, value, and the corrections that arrive after it: (how many hours before, value).
emissions = st.lists(
    st.tuples(
        st.sampled_from([0.5, 0.5, 0.9, 1.1, 2.0]),
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.5, 1.5, 3.0])), max_size=2),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(emissions)
def test_the_cost_of_an_alert_is_that_of_its_windows(
    given_windows: list[tuple[float, list[tuple[int, float]]]],
) -> None:
    """At each clear the cost is the sum of the newest totals from the start of the episode to its end."""
    rule, state, totals = rule_of(), RuleState(), dict[int, float]()
    for hour, (value, corrections) in enumerate(given_windows):
        for at, total in ((hour, value), *((hour - back, total) for back, total in corrections if back <= hour)):
            totals[at] = total
            at_ms = TEN + at * HOUR_MS
            point = Point(at_ms, 3600, 0, total, round(total * 1_000_000))
            for change in step(rule, LINE.name, state, point, TEN + (hour + 1) * HOUR_MS):
                if change.state == "cleared" and not change.historical:
                    start, end = ((ms - TEN) // HOUR_MS for ms in (change.episode_ms, change.event_ms))
                    within = sum(v for at, v in totals.items() if start <= at <= end)
                    assert change.cost_u == round(within * 1_000_000)


def test_a_correction_has_no_signal_cost() -> None:
    """The cost of a corrected reading is a difference: -2.00 is not what the reading costs."""
    ones = np.ones(2, np.int64)
    costs, is_first = np.array([5_000_000, -2_000_000]), np.array([True, False])
    signals = signals_of(ones, ones, ones, ones, ones, ones, costs, is_first, (ones, ones))
    assert signals["cost"][0] == 5 and isnan(signals["cost"][1])
