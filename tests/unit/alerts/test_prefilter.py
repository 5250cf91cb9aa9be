"""The pre-filter: alerts are the same as without it, and almost nothing is forwarded while nothing happens."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from flink_job.alerts.changes import Change
from flink_job.alerts.document import parse_rules
from flink_job.alerts.episodes import step
from flink_job.alerts.points import Point
from flink_job.alerts.prefilter import Prefilter
from flink_job.alerts.rules import RuleSet
from flink_job.alerts.samples import decode_batch
from flink_job.alerts.state_machine import States, observe
from flink_job.alerts.tracks import RuleState
from flink_job.metering.site import Entity

METER = Entity("m", "f/p/l/m")
TEN = 1_774_692_000_000
STEP_S = 300

levels = st.sampled_from(
    [
        {"severity": "major", "when": "> 80"},
        {"levels": [{"severity": "minor", "when": "> 80"}, {"severity": "critical", "when": ">= 90"}]},
        {"severity": "major", "when": "< 60"},
        {"severity": "info", "when": "outside 60..80"},
        {"severity": "info", "when": "inside 65..75"},
    ]
)
minutes = st.sampled_from(["", "5m", "10m", "15m"])
rule_documents = st.builds(
    lambda condition, sustained, clear_for, samples, gap, flapping, hold: {
        "signal": "temperature",
        **condition,
        **({"for": sustained} if sustained else {}),
        **({"clear_for": clear_for} if clear_for else {}),
        "min_samples": samples,
        **({"max_gap": gap} if gap else {}),
        **({"flapping": {"changes": 3, "within": "30m"}} if flapping else {}),
        **({"clear_at": "75"} if hold and condition.get("when") == "> 80" else {}),
    },
    levels,
    minutes,
    minutes,
    st.integers(1, 3),
    st.sampled_from(["", "5m", "20m"]),
    st.booleans(),
    st.booleans(),
)
#: Mostly clear (70 breaches only `inside`), sometimes not.
values = st.lists(st.sampled_from([70, 70, 70, 78, 62, 85, 95, 50]), min_size=1, max_size=40)


def rule_set(documents: list[dict[str, Any]]) -> RuleSet:
    rules = [{"rule_id": f"r{n}", **document} for n, document in enumerate(documents)]
    return parse_rules(msgspec.json.encode({"rules": rules}))


class Filtered:
    """A pre-filter, with the operator that drops uncertain samples of entities without alert state
    (flink_job/dataflow/sql/alerts/alert_samples.sql), and the state machines.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules.of_reading(METER)
        self.restart()
        self.active = 0
        self.states: States = {}
        self.forwarded = 0

    def restart(self) -> None:
        self.prefilter = Prefilter(METER, self.rules)

    def feed(self, at_ms: int, value: float, arrival_ms: int, cost_u: int = 0) -> list[Change]:
        output = self.prefilter.observe(at_ms, STEP_S, 0, cost_u, arrival_ms, "EUR", {"temperature": value})
        if output is None:
            return []
        self.active = self.active if output.active is None else output.active
        if not output.batch or not (output.certain or self.active):
            return []
        self.forwarded += 1
        return [change for _, change in observe(self.rules, self.states, decode_batch(output.batch))]


class Unfiltered:
    """State machines that get every sample and never discard state."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = [(rule, RuleState()) for rule in rules.of_reading(METER)]

    def feed(self, at_ms: int, value: float, arrival_ms: int, cost_u: int = 0) -> list[Change]:
        point = Point(at_ms, STEP_S, 0, value, cost_u)
        return [change for rule, state in self.rules for change in step(rule, "m", state, point, arrival_ms)]


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    st.lists(rule_documents, min_size=1, max_size=3),
    values,
    st.lists(st.sampled_from([1, 1, 1, 1, 2, 5, 30]), min_size=40, max_size=40),
    st.sets(st.integers(0, 39), max_size=3),
)
def test_in_order_with_gaps_and_restarts(
    documents: list[dict[str, Any]], readings: list[float], gaps: list[int], restarts: set[int]
) -> None:
    rules = rule_set(documents)
    filtered, unfiltered = Filtered(rules), Unfiltered(rules)
    at_ms = TEN
    for number, (value, gap) in enumerate(zip(readings, gaps, strict=False)):
        if number in restarts:
            filtered.restart()
        at_ms += gap * STEP_S * 1000
        arrival_ms = at_ms + STEP_S * 1000
        assert filtered.feed(at_ms, value, arrival_ms) == unfiltered.feed(at_ms, value, arrival_ms)


INSIDE = {"signal": "temperature", "severity": "info", "when": "inside 65..75", "min_samples": 1}
OUTSIDE = {"signal": "temperature", "severity": "info", "when": "outside 60..80", "min_samples": 1}
ABOVE = {"signal": "temperature", "severity": "major", "when": "> 80", "min_samples": 1}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(rule_documents, min_size=1, max_size=3), values, st.lists(st.integers(0, 3), min_size=40, max_size=40))
# A sample that is clear for one rule is forwarded for the other; then an older breach of the first rule arrives.
@example([{**INSIDE, "clear_for": "5m"}, OUTSIDE], [70, 95, 62, 70], [3, 0, 0, 0])
# A late breach begins an episode although the pre-filter has seen enough clear samples.
@example(
    [{**INSIDE, "clear_for": "10m"}],
    [70, 70, 62, 85, 95, 95, 70, 62, 78, 50, 85, 50, 62, 70],
    [0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
)
# A state machine must not get samples again that it has pruned: they would be evaluated and their cost counted twice.
@example([{**OUTSIDE, "clear_for": "5m", "min_samples": 3}], [95, 95, 70, 95, 50, 85, 70, 70], [0, 0, 2, 0, 3, 0, 0, 0])
@example(
    [{**ABOVE, "for": "10m", "clear_for": "10m"}],
    [95, 70, 85, *[70] * 3, 85, *[70] * 9, 85, 70],
    [2, *[0] * 4, 2, *[0] * 10, 2, 0],
)
def test_minutes_out_of_order(documents: list[dict[str, Any]], readings: list[float], delays: list[int]) -> None:
    """Changes that are not historical are identical, including costs."""
    rules = rule_set(documents)
    filtered, unfiltered = Filtered(rules), Unfiltered(rules)
    arriving = sorted((n + delay, n, value) for n, (value, delay) in enumerate(zip(readings, delays, strict=False)))
    for slot, number, value in arriving:
        at_ms, arrival_ms = TEN + number * STEP_S * 1000, TEN + (slot + 1) * STEP_S * 1000
        cost_u = number + 1
        one, other = filtered.feed(at_ms, value, arrival_ms, cost_u), unfiltered.feed(at_ms, value, arrival_ms, cost_u)
        assert [c for c in one if not c.historical] == [c for c in other if not c.historical]


#: Samples in order of event time, of which the second sequence breach, and by how many places each arrives late.
one_breach = st.tuples(st.integers(3, 12), st.integers(1, 3), st.integers(4, 12))
delays = st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 9]), min_size=27, max_size=27)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(one_breach, delays, st.integers(1, 26), st.sampled_from(["", "5m", "10m"]))
def test_a_breach_that_is_found_late_ends_at_the_same_time_after_a_restart(
    lengths: tuple[int, int, int], delays: list[int], restart: int, clear_for: str
) -> None:
    """The clear samples that arrived before the restart are forgotten; the alert ends without them.

    A newer sample than the breach must have arrived since: the first one after a restart is the newest known.
    """
    before, breach, after = lengths
    values = [70] * before + [90] * breach + [70] * after
    arriving = sorted((n + delay, n) for n, delay in zip(range(len(values)), delays, strict=False))
    first = next((n for _, n in arriving[restart:]), -1)
    assume(first >= before + breach or all(n < before for _, n in arriving[:restart]))
    rules = rule_set([{**ABOVE, "horizon": "1d", **({"clear_for": clear_for} if clear_for else {})}])
    known = Filtered(rules), Filtered(rules), Unfiltered(rules)
    newest: list[dict[str, tuple[Any, ...]]] = [{}, {}, {}]
    for number, (slot, n) in enumerate(arriving):
        if number == restart:
            known[1].restart()
        for machine, last in zip(known, newest, strict=True):
            for change in machine.feed(TEN + n * STEP_S * 1000, values[n], TEN + (slot + 1) * STEP_S * 1000):
                last[change.alert_id] = change[2:10]
    assert newest[0] == newest[1] == newest[2]


def test_a_sample_that_is_clear_for_one_rule_arrives_before_an_older_breach_of_it() -> None:
    """78 is between limit and clear_at of one rule and clear for the other; then 85 arrives, which is older."""
    limits = {"signal": "temperature", "severity": "major", "when": "> 80"}
    rules = rule_set([limits, {**limits, "clear_at": "75"}])
    filtered, unfiltered = Filtered(rules), Unfiltered(rules)
    for number, value in ((0, 70), (1, 70), (3, 78), (2, 85)):
        at_ms, arrival_ms = TEN + number * STEP_S * 1000, TEN + 4 * STEP_S * 1000
        one, other = filtered.feed(at_ms, value, arrival_ms), unfiltered.feed(at_ms, value, arrival_ms)
        assert [c for c in one if not c.historical] == [c for c in other if not c.historical]
    assert all(change.historical for change in one)


def test_clear_samples_are_not_forwarded() -> None:
    rules = rule_set([{"signal": "temperature", "severity": "major", "when": "> 80", "clear_for": "10m"}])
    filtered = Filtered(rules)
    for number in range(1000):
        at_ms = TEN + number * STEP_S * 1000
        filtered.feed(at_ms, 90 if number == 500 else 70, at_ms + STEP_S * 1000)
    # The breach, and clear samples for 10 minutes and two gaps of three intervals: 40 minutes.
    assert filtered.forwarded == 1 + 8


def test_rates_of_change() -> None:
    rules = rule_set([{"signal": "temperature", "change_per": "1h", "severity": "major", "when": "> 30"}])
    filtered, minute = Filtered(rules), 60_000
    # 70 to 72 in five minutes is 24 an hour, 72 to 75 is 36.
    found = [
        filtered.feed(TEN + at * minute, value, TEN + (at + 5) * minute) for at, value in ((0, 70), (5, 72), (10, 75))
    ]
    assert [[(c.state, c.value) for c in changes] for changes in found] == [[], [], [("raised", 36)]]


def test_rate_rules_on_one_signal_keep_their_own_max_gap() -> None:
    """From 20 to 50 within 60 minutes is 30 an hour: a rate for a `max_gap` of two hours, none for one of 6 minutes.

    In either order of the rules in the document.
    """
    described = {"signal": "temperature", "change_per": "1h", "severity": "major", "when": "> 25"}
    rules = [{**described, "max_gap": "6m"}, {**described, "max_gap": "2h"}]
    for document in (rules, rules[::-1]):
        filtered = Filtered(rule_set(document))
        assert filtered.feed(TEN, 20, TEN + 300_000) == []
        [raised] = filtered.feed(TEN + 3_600_000, 50, TEN + 3_900_000)
        assert (raised.state, raised.value) == ("raised", 30)
