"""An alarm as data: metrics, threshold, severity and owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OVER, FROM = "GREATER_THAN_THRESHOLD", "GREATER_THAN_OR_EQUAL_TO_THRESHOLD"
BELOW, UP_TO = "LESS_THAN_THRESHOLD", "LESS_THAN_OR_EQUAL_TO_THRESHOLD"
#: Severities: immediate action, or action on the next working day.
PAGE, TICKET = "page", "ticket"
#: Owners: operators of the platform, maintainers of contracts and tariffs, operators of the meters.
PLATFORM, DATA, DEVICES = "platform", "data", "devices"


@dataclass(frozen=True)
class Measure:
    """A CloudWatch metric and statistic. Without `namespace`, `name` is a Metrics Insights query."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: str = "Maximum"


@dataclass(frozen=True)
class Alarm:
    """An alarm on one metric, or on an `expression` of the metrics in `measures`, referred to by key.

    `missing_is_bad`: operators are also notified when data stop arriving (state INSUFFICIENT_DATA). Before the first
    data point, as after the first deployment, nobody is notified.
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
        """Anchor in docs/use/runbook.md: one per kind of alarm, one per dead-letter queue."""
        return self.id.lower() if self.id.startswith("Dead-") else self.id.partition("-")[0].lower()


def one(measure: Measure) -> Mapping[str, Measure]:
    """The measures of an alarm on a single metric."""
    return {"watched": measure}
