"""An alarm as data: what it watches, when it goes off, how bad that is and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OVER, FROM = "GREATER_THAN_THRESHOLD", "GREATER_THAN_OR_EQUAL_TO_THRESHOLD"
BELOW, UP_TO = "LESS_THAN_THRESHOLD", "LESS_THAN_OR_EQUAL_TO_THRESHOLD"
#: Severities: somebody is woken, or it waits for the next working day.
PAGE, TICKET = "page", "ticket"
#: Who acts: whoever runs the platform, whoever keeps contracts and tariffs, whoever runs the meters.
PLATFORM, DATA, DEVICES = "platform", "data", "devices"


@dataclass(frozen=True)
class Measure:
    """A metric of CloudWatch and a statistic of it. `name` is SQL of Metrics Insights where there is no namespace."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: str = "Maximum"


@dataclass(frozen=True)
class Alarm:
    """An alarm on one metric, or on an `expression` of several, which it knows by the keys of `measures`.

    `missing_is_bad`: when data cease to arrive, operators are notified (state INSUFFICIENT_DATA). Before the first
    data, as after the first deployment, nothing is missing yet.
    """

    id: str
    title: str
    meaning: str
    measures: Mapping[str, Measure]
    threshold: float
    expression: str = ""
    period_s: int = 60
    periods: int = 5
    comparison: str = OVER
    missing_is_bad: bool = False
    severity: str = TICKET
    owner: str = PLATFORM

    @property
    def section(self) -> str:
        """The entry of docs/use/runbook.md: one for each kind of alarm, one for each queue."""
        return self.id.lower() if self.id.startswith("Dead-") else self.id.partition("-")[0].lower()


def one(measure: Measure) -> Mapping[str, Measure]:
    """The measures of an alarm that needs no expression."""
    return {"watched": measure}
