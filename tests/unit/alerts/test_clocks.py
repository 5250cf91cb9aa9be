"""Clocks of devices that are ahead: a steady one has alerts and is named, a single wild time stamp changes none."""

from __future__ import annotations

import msgspec
import pytest

from flink_job.alerts.clocks import Clock, clock_ahead_s
from flink_job.alerts.document import parse_rules
from flink_job.alerts.explain import explain
from flink_job.alerts.points import Point
from flink_job.alerts.prefilter import Prefilter
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.replay import Replay
from flink_job.alerts.rules import RuleSet
from flink_job.alerts.samples import Batch, Sample, decode_batch
from flink_job.alerts.state_machine import States, observe
from flink_job.alerts.worker_prefilters import NOTHING, ChannelPrefilter
from flink_job.metering.site import Entity

MINUTE_MS = 60_000
#: 2026-03-28 10:00 UTC.
TEN = 1_774_692_000_000
METER = Entity("m", "f/p/l/m")
HOT = {"rule_id": "hot", "signal": "temperature", "severity": "major", "when": "> 80"}
AHEAD = {"rule_id": "clock", "signal": "clock_ahead_s", "severity": "minor", "when": "> 120", "min_samples": 2}


def rules_of(*documents: dict[str, object]) -> RuleSet:
    return parse_rules(msgspec.json.encode({"rules": documents}))


class Job:
    """Pre-filter and state machines of a meter with readings of `interval` minutes; arrivals are minutes after ten."""

    def __init__(self, *documents: dict[str, object], interval: int = 5) -> None:
        self.rules, self.interval_s = rules_of(*documents).of_reading(METER), interval * 60
        self.prefilter, self.states = Prefilter(METER, self.rules), States()

    def feed(self, *samples: tuple[float, float, float]) -> list[tuple[str, str, float]]:
        """Process (arrival, minutes by which the interval ends after it, value); returns (rule, state, value)."""
        found = []
        for arrival, ahead, value in samples:
            arrival_ms = TEN + int(arrival * MINUTE_MS)
            at_ms = arrival_ms + int(ahead * MINUTE_MS) - self.interval_s * 1000
            given = {"temperature": value}
            output = self.prefilter.observe(at_ms, self.interval_s, 0, 0, arrival_ms, "EUR", given)
            if output is not None and output.batch:
                changes = observe(self.rules, self.states, decode_batch(output.batch))
                found += [(rule.rule_id, change.state, change.value) for rule, change in changes]
        return found


@pytest.mark.parametrize("ahead", [5, 20, 50])
def test_a_clock_that_is_steadily_ahead_has_alerts(ahead: int) -> None:
    """At 5 minutes the interval of five minutes begins at its arrival; 20 and 50 were dropped for ever.

    The second sample that is as far ahead counts: 90 at 10:05 raises, 70 at 10:15 clears.
    """
    job = Job(HOT)
    assert job.feed((0, ahead, 70), (5, ahead, 90)) == [("hot", "raised", 90)]
    assert job.feed((10, ahead + 0.5, 95), (15, ahead, 70)) == [("hot", "cleared", 70)]


def test_a_single_wild_stamp_neither_raises_nor_clears() -> None:
    job = Job(HOT)
    assert job.feed((0, 0, 70), (5, 50, 90), (10, 0, 70), (15, 50, 90), (20, 0, 70)) == []
    assert job.feed((25, 0, 90)) == [("hot", "raised", 90)]
    assert job.feed((30, 50, 70), (35, 0, 90), (40, 30, 70), (45, 0, 90)) == []


def test_a_wild_stamp_of_a_clock_that_is_ahead_changes_nothing() -> None:
    """The clock is 20 minutes ahead; one stamp says 55."""
    job = Job(HOT)
    assert job.feed((0, 20, 70), (5, 20, 70), (10, 55, 90), (15, 20, 70), (20, 20, 90)) == [("hot", "raised", 90)]


def test_a_wild_stamp_that_is_delivered_twice_is_one() -> None:
    """Delivered again 20 seconds later: the same interval, so 49 min 40 s ahead."""
    job = Job(HOT)
    assert job.feed((0, 0, 70), (5, 50, 90), (5 + 20 / 60, 50 - 20 / 60, 90)) == []


def test_readings_that_arrive_together_are_one_burst() -> None:
    """Three readings are sent each quarter hour by a clock 30 minutes ahead.

    Their ends are 20, 25 and 30 minutes ahead. None of the first burst counts, all of the second do.
    """
    job = Job(HOT)
    assert job.feed((0, 20, 90), (0, 25, 90), (0, 30, 70)) == []
    assert job.feed((15, 20, 90), (15, 25, 95), (15, 30, 70)) == [("hot", "raised", 90), ("hot", "cleared", 70)]


def test_a_correction_of_a_counted_sample_counts() -> None:
    clock = Clock()
    assert [clock.counts(TEN + 20 * MINUTE_MS, TEN), clock.counts(TEN + 25 * MINUTE_MS, TEN + 5 * MINUTE_MS)] == [0, 1]
    assert clock.counts(TEN + 25 * MINUTE_MS, TEN + 7 * MINUTE_MS)


def test_after_the_clock_is_set_right_samples_count_at_once() -> None:
    clock = Clock()
    for minute in (0, 5, 10):
        clock.counts(TEN + (20 + minute) * MINUTE_MS, TEN + minute * MINUTE_MS)
    for minute in (15, 20, 25):
        assert clock.counts(TEN + (minute - 5) * MINUTE_MS, TEN + minute * MINUTE_MS)
    assert not clock.is_ahead


def test_the_clock_is_a_signal() -> None:
    """Quarter hours that arrive 20 minutes before they end: 1,200 s; on time or later: 0."""
    assert clock_ahead_s(TEN, 900, TEN + 15 * MINUTE_MS - 20 * MINUTE_MS) == 1200
    assert clock_ahead_s(TEN, 900, TEN + 15 * MINUTE_MS) == clock_ahead_s(TEN, 900, TEN + 60 * MINUTE_MS) == 0
    job = Job(AHEAD, interval=15)
    assert job.feed((0, 0, 0), (15, 3, 0), (30, 3, 0)) == [("clock", "raised", 180)]
    assert job.feed((45, 0, 0)) == [("clock", "cleared", 0)]
    assert job.feed((60, 50, 0), (75, 50, 0), (90, 50, 0)) == [("clock", "raised", 3000)]


def test_channels_without_a_rule_show_the_clock() -> None:
    """A reading of a channel that no rule is on, by a clock three minutes ahead."""
    prefilter = ChannelPrefilter(_Registry(rules_of({**AHEAD, "min_samples": 1})))
    prefilter.refresh()
    found = prefilter.observe(METER, TEN, 60, 0, TEN - 2 * MINUTE_MS, {"vibration": 1})
    assert found == NOTHING
    batch, _, _ = prefilter.observe(METER, TEN + MINUTE_MS, 60, 0, TEN - MINUTE_MS, {"vibration": 1})
    assert [sample.values for sample in decode_batch(batch).samples] == [{"clock_ahead_s": 180}]


class _Registry(RuleRegistry):
    def __init__(self, rules: RuleSet) -> None:
        self.rules, self.generation = rules, 1

    def refresh(self) -> RuleRegistry:
        return self


def test_replay_and_explain_ignore_what_the_stream_ignores() -> None:
    """A wild stamp at 10:05, then two samples 20 minutes ahead of which the second counts."""
    arrivals = [(0, 0, 70), (5, 50, 90), (10, 0, 70), (15, 20, 90), (20, 20, 95)]
    points = [
        (Point(TEN + (m + ahead - 5) * MINUTE_MS, 300, 0, value), TEN + m * MINUTE_MS) for m, ahead, value in arrivals
    ]
    batches = [
        Batch(*METER, "reading", "meter", 0, arrival, "", (Sample(p.at_ms, 300, 0, 0, {"temperature": p.value}),))
        for p, arrival in points
    ]
    rules = rules_of(HOT)
    assert [(row.state, row.value) for row in Replay(rules).run(batches)] == [("raised", 95)]
    explained = list(explain(rules.rules[0], "m", points))
    assert [len(row.changes) for row in explained] == [0, 0, 0, 0, 1]
    assert [row.evaluation for row in explained][1] == "ignored: begins after its arrival"
