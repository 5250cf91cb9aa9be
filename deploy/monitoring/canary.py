"""Alarms on the canary: costs of synthetic readings that are late or wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

from deploy.canary.runtime.probe import AGE, DIMENSION, NAMESPACE, SLOT_S, WRONG
from deploy.kit.names import Names
from deploy.monitoring.alarm import PAGE, Alarm, Measure, one
from deploy.settings import Environment

#: The next run finds the cost of a reading; the one after it, while the job or Firehose is busy.
LATE_S = 2000
#: Lambda retries a failed asynchronous invocation twice.
TRIES = 3


def readings_of_canary(environment: Environment) -> int:
    """Maximum number of canary records within `quiet_s`; they do not show that meters send readings."""
    return TRIES * math.ceil(environment.quiet_s / SLOT_S) if environment.canary else 0


def canary_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Alarms on the canary's metrics, also if they are missing."""
    if not environment.canary:
        return
    dimensions = {DIMENSION: names.prefix}
    yield Alarm(
        "Canary-late", "Canary: seconds since the newest reading with a cost",
        "Synthetic readings are not costed in time.", one(Measure(NAMESPACE, AGE, dimensions)), LATE_S, period_s=SLOT_S,
        periods=3, missing_is_bad=True, severity=PAGE,
    )  # fmt: skip
    yield Alarm(
        "Canary-wrong", "Canary: readings with a wrong cost", "Costs of synthetic readings are wrong.",
        one(Measure(NAMESPACE, WRONG, dimensions)), 0, period_s=SLOT_S, periods=1, severity=PAGE,
    )  # fmt: skip
