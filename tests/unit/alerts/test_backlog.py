"""A backlog: the same episodes in any order of arrival, each with one alert."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.alerts.changes import ENDED, Change
from flink_job.alerts.document import parse_rules
from flink_job.alerts.episodes import step
from flink_job.alerts.late import CORRECTED, JOINED, LATE_FOR_MS, NO_MORE
from flink_job.alerts.points import Point
from flink_job.alerts.rules import Rule
from flink_job.alerts.tracks import Episode, RuleState

SLOT_MS = 900_000
#: 2026-03-28 10:00 UTC.
TEN = 1_774_692_000_000
HOT = {"rule_id": "hot", "signal": "temperature", "severity": "major", "when": "> 80"}


def rule_of(**changes: Any) -> Rule:
    return parse_rules(msgspec.json.encode({"rules": [{**HOT, **changes}]})).rules[0]


class Backlog:
    """Quarter hours that arrive long after, by number from ten o'clock; each costs 1."""

    def __init__(self, values: list[float], arrival_days: int = 7, **changes: Any) -> None:
        self.values, self.rule, self.state = values, rule_of(**changes), RuleState()
        self.arrival_ms = TEN + arrival_days * LATE_FOR_MS
        self.changes: list[Change] = []

    def feed(self, *slots: int) -> list[Change]:
        """Process the quarter hours in this order; returns the changes."""
        before = len(self.changes)
        for slot in slots:
            point = Point(TEN + slot * SLOT_MS, 900, 0, self.values[slot], 1_000_000)
            self.changes += step(self.rule, "m", self.state, point, self.arrival_ms)
        return self.changes[before:]

    def episodes(self) -> list[tuple[int, int | None]]:
        """(begin, end) by quarter hour of each alert by its last change, without those that were found unfounded.

        An open alert has no end; its beginning, which the next change will have, is in the state.
        """
        newest = {change.alert_id: change for change in self.changes}
        ended = [c for c in newest.values() if c.state in ENDED and c.detail not in (JOINED, CORRECTED)]
        begins = [e.begins_ms for e in self.open_episodes()]
        assert len(begins) == sum(c.state not in ENDED for c in newest.values())
        found = [(c.episode_ms, c.event_ms) for c in ended]
        slots = [tuple((ms - TEN) // SLOT_MS for ms in span) for span in (*found, *((b,) for b in begins))]
        return sorted((span[0], span[1] if len(span) > 1 else None) for span in slots)

    def open_episodes(self) -> list[Episode]:
        late = self.state.past.episodes if self.state.past else []
        live = [self.state.live.episode] if self.state.live.episode else []
        return [*live, *(e for e in late if e.ended_ms is None)]


def test_a_day_newest_first_is_one_alert() -> None:
    """24 hours above the limit, then one clear quarter hour, which arrives last or first: 96 + 1 of 1.00."""
    values = [90] * 96 + [70]
    for order in (range(96, -1, -1), [*range(95, -1, -1), 96]):
        backlog = Backlog(values)
        backlog.feed(*order)
        assert len({change.alert_id for change in backlog.changes}) == 1
        assert backlog.episodes() == [(0, 96)]
        assert backlog.changes[-1].cost_u == 97_000_000
        assert all(change.historical for change in backlog.changes)


def test_a_backlog_newest_first_that_goes_on_is_raised_live_with_the_same_id() -> None:
    """Four quarter hours, the last one first; the next is on time."""
    backlog = Backlog([90] * 6, **{"for": "15m"})
    [raised] = backlog.feed(3, 2, 1, 0)
    backlog.arrival_ms = TEN + 5 * SLOT_MS
    [live] = backlog.feed(4)
    assert (raised.historical, live.historical, live.alert_id) == (True, False, raised.alert_id)
    assert (live.episode_ms, live.cost_u) == (TEN, 5_000_000)


def test_two_episodes_newest_first_are_two_alerts() -> None:
    values = [70, 90, 90, 70, 70, 90, 90, 90, 70]
    backlog = Backlog(values)
    backlog.feed(*range(8, -1, -1))
    assert backlog.episodes() == [(1, 3), (5, 8)]
    assert len({change.alert_id for change in backlog.changes}) == 2


def test_a_clear_sample_that_arrives_last_divides_an_episode() -> None:
    backlog = Backlog([90, 90, 70, 90])
    backlog.feed(3, 1, 0)
    assert backlog.episodes() == [(0, None)]
    backlog.feed(2)
    assert backlog.episodes() == [(0, 2), (3, None)]


def test_an_open_alert_of_a_backlog_ends_a_day_after_its_last_sample() -> None:
    """A breach of six hours before the alert of now: nothing more arrives of that time."""
    backlog = Backlog([90] + [70] * 25, arrival_days=0)
    backlog.arrival_ms = TEN + 25 * SLOT_MS
    backlog.feed(23, 24)
    [raised] = backlog.feed(0)
    backlog.arrival_ms += LATE_FOR_MS + 1
    [ended] = backlog.feed(25)
    assert (ended.alert_id, ended.state, ended.detail) == (raised.alert_id, "cleared", NO_MORE)


@pytest.mark.parametrize("is_newest_first", [False, True])
def test_a_long_backlog_is_one_alert(is_newest_first: bool) -> None:
    """1,200 quarter hours above the limit, more than are kept, between clear ones: 1,200 + 1 of 1.00.

    The live track has a clear one of much later.
    """
    values = [70] + [90] * 1200 + [70] * 1000
    backlog = Backlog(values, arrival_days=30)
    backlog.feed(2200, *(range(1201, -1, -1) if is_newest_first else range(1202)))
    [alert] = {change.alert_id for change in backlog.changes}
    newest = backlog.changes[-1]
    assert (newest.alert_id, newest.state, newest.cost_u) == (alert, "cleared", 1_201_000_000)
    assert backlog.episodes() == [(1, 1201)]


def test_a_long_alert_of_changing_values_is_one() -> None:
    """200 times above the limit and between it and `clear_at`, more than are kept: 400 + 1 of 1.00."""
    backlog = Backlog([70] + [90, 78] * 200 + [70] * 200, arrival_days=30, clear_at="75")
    backlog.feed(600, *range(402))
    assert backlog.episodes() == [(1, 401)]
    assert [(c.state, c.cost_u) for c in backlog.changes] == [("raised", 1_000_000), ("cleared", 401_000_000)]


@pytest.mark.parametrize("seed", range(3))
def test_a_week_in_any_order_has_one_alert(seed: int) -> None:
    slots = list(range(7 * 96))
    random.Random(seed).shuffle(slots)
    backlog = Backlog([90] * len(slots), arrival_days=14)
    backlog.feed(*slots)
    newest = {change.alert_id: change for change in backlog.changes}
    assert len([c for c in newest.values() if c.state not in ENDED]) == 1


durations = st.sampled_from(["", "15m", "30m"])
series = st.lists(st.sampled_from([70, 70, 90, 90, 78]), min_size=1, max_size=24)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(series, durations, durations, st.booleans())
def test_newest_first_makes_the_episodes_of_the_right_order(
    values: list[float], sustained: str, clear_for: str, has_band: bool
) -> None:
    rule = {"for": sustained, "clear_for": clear_for, "clear_at": "75" if has_band else ""}
    given_rule = {name: value for name, value in rule.items() if value}
    ordered, backlog = Backlog(values, **given_rule), Backlog(values, **given_rule)
    ordered.feed(*range(len(values)))
    backlog.feed(*reversed(range(len(values))))
    assert backlog.episodes() == ordered.episodes()


shuffled = series.flatmap(lambda values: st.tuples(st.just(values), st.permutations(range(len(values)))))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(shuffled, durations, durations)
def test_any_order_after_the_newest_makes_the_episodes_of_the_right_order(
    drawn: tuple[list[float], list[int]], sustained: str, clear_for: str
) -> None:
    """A device that sends its newest value first, and then what it has stored."""
    values, order = drawn
    given_rule = {name: value for name, value in {"for": sustained, "clear_for": clear_for}.items() if value}
    ordered, backlog = Backlog(values, **given_rule), Backlog(values, **given_rule)
    ordered.feed(*range(len(values)))
    newest = len(values) - 1
    backlog.feed(newest, *(slot for slot in order if slot != newest))
    assert backlog.episodes() == ordered.episodes()


@settings(max_examples=400, deadline=None, derandomize=True)
@given(shuffled)
def test_no_order_makes_more_alerts_or_misses_one(drawn: tuple[list[float], list[int]]) -> None:
    """An alert is not divided by a clear sample that arrives after the later breach: both are one alert then.

    With `for` and `clear_for` a missing sample counts as if the breach went on, as long as it is within `max_gap`.
    """
    values, order = drawn
    ordered, backlog = Backlog(values), Backlog(values)
    ordered.feed(*range(len(values)))
    backlog.feed(*order)
    found = backlog.episodes()
    assert len(found) <= len(ordered.episodes())
    for begin, _ in ordered.episodes():
        assert any(first <= begin and (end is None or begin < end) for first, end in found)
