"""KPI windows that the end of the input cuts: only a breach that further readings cannot undo counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flink_job.alerts.document import parse_rules
from flink_job.alerts.prefilter import Prefilter
from flink_job.alerts.rules import Rule
from flink_job.alerts.samples import decode_batch
from flink_job.alerts.state_machine import States, observe
from flink_job.metering.site import Entity

LINE = Entity("f/p/l", "f/p/l")
HOUR_MS = 3_600_000
TEN = 1_774_692_000_000


def rule_of(signal: str = "kpi.energy_kwh", **more: Any) -> Rule:
    rule = {"rule_id": "r", "per": "line", "signal": signal, "window": "1h", **more}
    return parse_rules(msgspec.json.encode({"rules": [rule]})).rules[0]


@pytest.mark.parametrize(
    ("signal", "when", "value", "is_certain"),
    [
        ("kpi.energy_kwh", "> 15", 16, True),
        ("kpi.energy_kwh", "> 15", 14, False),
        ("kpi.energy_kwh", "< 12", 4, False),
        ("kpi.max_kw", "outside 10..20", 21, True),
        ("kpi.max_kw", "outside 10..20", 9, False),
        ("kpi.cost", "inside 10..20", 15, False),
        # Shares may rise and fall with each reading.
        ("kpi.completeness", "< 0.9", 0.5, False),
        ("kpi.load_factor", "> 0.5", 0.6, False),
    ],
)
def test_what_is_certain(signal: str, when: str, value: float, is_certain: bool) -> None:
    assert rule_of(signal, severity="major", when=when).is_certain(value) == is_certain


def states_after(rules: tuple[Rule, ...], complete: list[float], partial: float) -> list[tuple[str, str, float]]:
    """(rule, state, value) of the changes of complete hours and a partial one, in order."""
    prefilter, states = Prefilter(LINE, rules, "kpi", "line", 3600), States()
    found = []
    for number, kwh in enumerate([*complete, partial]):
        at_ms, values = TEN + number * HOUR_MS, {"kpi.energy_kwh": kwh}
        rest = 0, at_ms + HOUR_MS, "EUR", values
        if number < len(complete):
            output = prefilter.observe(at_ms, 3600, 0, *rest)
        else:
            output = prefilter.observe_partial(at_ms, 3600, *rest)
        if output is not None and output.batch:
            changes = observe(rules, states, decode_batch(output.batch))
            found += [(rule.rule_id, change.state, change.value) for rule, change in changes]
    return found


LEVELS = [{"severity": "minor", "when": "> 15"}, {"severity": "critical", "when": "> 30"}]


def test_a_partial_hour_raises_and_escalates_and_never_eases_or_clears() -> None:
    """Limits of 15 and 30 kWh: 20 and 40 kWh are beyond them already, and may only grow."""
    high = (rule_of(levels=LEVELS),)
    assert states_after(high, [10], 20) == [("r", "raised", 20)]
    assert states_after(high, [20], 40) == [("r", "raised", 20), ("r", "escalated", 40)]
    assert states_after(high, [40], 20) == [("r", "raised", 40)]
    assert states_after(high, [20], 5) == [("r", "raised", 20)]


def test_a_partial_hour_says_nothing_to_a_rule_with_a_lower_limit() -> None:
    """20 kWh breach `> 15` for certain. They are less than 25 so far, and no end of an alert below 12."""
    high = rule_of(severity="major", when="> 15")
    low = msgspec.json.encode({"rules": [
        {"rule_id": name, "per": "line", "signal": "kpi.energy_kwh", "window": "1h", "severity": "major", "when": when}
        for name, when in (("less", "< 25"), ("low", "< 12"))
    ]})  # fmt: skip
    rules = (high, *parse_rules(low).rules)
    assert states_after(rules, [30], 20) == [("r", "raised", 30)]
    assert states_after(rules, [4], 20) == [("less", "raised", 4), ("low", "raised", 4), ("r", "raised", 20)]
