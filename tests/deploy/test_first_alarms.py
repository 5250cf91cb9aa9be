"""The first deployment rings nobody, and what stops later does: alarms evaluated as CloudWatch does."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.deploy.conftest import Templates

Series = Sequence[float | None]
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
#: The evaluation range is wider than the evaluation periods: five data points where three are evaluated.
WIDER_BY = 2
ACTIONS = {"ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def alarms(templates: Templates) -> dict[str, dict[str, Any]]:
    """Properties of prod's alarms, by the end of their names."""
    found = (
        resource["Properties"]
        for name, template in templates.items()
        if name.startswith("metering-prod")
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    )
    return {alarm["AlarmName"].removeprefix("metering-prod-"): alarm for alarm in found}


def watched(alarm: dict[str, Any], series: Series) -> Series:
    """The data points that an alarm evaluates where each of its metrics has these."""
    [expression] = [m["Expression"] for m in alarm.get("Metrics", ()) if "Expression" in m] or [""]
    if found := re.fullmatch(r"IF\((\w+) > (\d+), \1\)", expression):
        return [None if point is None or point <= int(found[2]) else point for point in series]
    if re.fullmatch(r"DIFF\(\w+\)", expression):
        pairs = zip([None, *series], series, strict=False)
        return [None if before is None or point is None else point - before for before, point in pairs]
    return series


def evaluated(alarm: dict[str, Any], state: str, window: Series) -> str:
    """The state after an evaluation, as CloudWatch documents it for alarms whose evaluation periods must all breach."""
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    periods, missing = alarm["EvaluationPeriods"], alarm["TreatMissingData"]
    assert alarm.get("DatapointsToAlarm", periods) == periods
    found = [breaches(point, alarm["Threshold"]) for point in window if point is not None][-periods:]
    if len(found) < periods and missing == "ignore":
        return state
    if not found and missing == "missing":
        return "INSUFFICIENT_DATA"
    if missing in ("breaching", "notBreaching"):
        found += [missing == "breaching"] * (periods - len(found))
    return "ALARM" if all(found) else "OK"


def rung(alarm: dict[str, Any], series: Series) -> list[int]:
    """The periods at whose end somebody is notified of a fault."""
    state, found, points = "INSUFFICIENT_DATA", [], watched(alarm, series)
    for end in range(1, len(points) + 1):
        window = points[max(0, end - alarm["EvaluationPeriods"] - WIDER_BY) : end]
        before, state = state, evaluated(alarm, state, window)
        if state != before and alarm.get(ACTIONS.get(state, ""), []):
            found.append(end)
    return found


@pytest.mark.parametrize("series", [[None] * 60, [0.0] * 60], ids=["no data", "zeros"])
def test_the_first_deployment_rings_nobody(templates: Templates, series: Series) -> None:
    assert [name for name, alarm in alarms(templates).items() if rung(alarm, series)] == []


@pytest.mark.parametrize(("name", "running"), [("Downtime", 0.0), ("NoReadings", 40.0)])
@pytest.mark.parametrize("stopped", [None, 0.0])
def test_what_stops_later_is_noticed(templates: Templates, name: str, running: float, stopped: float | None) -> None:
    if (name, stopped) == ("Downtime", 0.0):
        stopped = 60_000.0
    alarm = alarms(templates)[name]
    [at] = rung(alarm, [None] * 10 + [running] * 60 + [stopped] * 30)
    assert 70 < at <= 70 + alarm["EvaluationPeriods"] + WIDER_BY


def test_an_update_of_some_minutes_rings_nobody(templates: Templates) -> None:
    update = [0.0] * 60 + [None] * 5 + [60_000.0, 120_000.0] + [None] * 3 + [0.0] * 60
    assert rung(alarms(templates)["Downtime"], update) == []
