"""Alarms on the synthetic meter: does a reading come out as a cost, in time and to the last digit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from deploy.canary.runtime.probe import AGE, DIMENSION, NAMESPACE, SLOT_S, WRONG
from deploy.kit.names import Names
from deploy.monitoring.alarm import PAGE, Alarm, Measure, one
from deploy.settings import Environment

#: A reading's cost is found by the next run, or by the one after it while the job or Firehose is busy.
LATE_S = 2000
#: Lambda runs a function again that failed, at most twice.
TRIES = 3


def readings_of_canary(environment: Environment) -> int:
    """How many records the canary may put into the stream within `quiet_s`: they do not show that meters send."""
    return TRIES * math.ceil(environment.quiet_s / SLOT_S) if environment.canary else 0


def canary_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Of the canary's own metrics; that none come is as bad as a bad one."""
    if not environment.canary:
        return
    dimensions = {DIMENSION: names.prefix}
    yield Alarm(
        "Canary-late", "Canary: seconds since the newest reading with a cost",
        "Synthetic readings do not become costs.", one(Measure(NAMESPACE, AGE, dimensions)), LATE_S, period_s=SLOT_S,
        periods=3, missing_is_bad=True, severity=PAGE,
    )  # fmt: skip
    yield Alarm(
        "Canary-wrong", "Canary: readings with a wrong cost", "Costs of synthetic readings are not what they must be.",
        one(Measure(NAMESPACE, WRONG, dimensions)), 0, period_s=SLOT_S, periods=1, severity=PAGE,
    )  # fmt: skip
