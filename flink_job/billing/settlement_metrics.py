"""CloudWatch metrics of a settlement, as lines of a log in embedded metric format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from flink_job.billing.news_run import NewsRun

NAMESPACE, DIMENSION = "Metering", "Deployment"
#: Billing cycles that a run settled, including those whose bill is the same.
CYCLES = "SettledCycles"
#: Sum of the absolute adjustments of the settled cycles, by currency.
ADJUSTED = "SettledAdjustments"
#: Supply points and meters with news that could not be settled.
UNSETTLED = "UnsettledSupplies"
#: Age of the oldest day with news that could not be settled.
OLDEST_DAYS = "OldestUnsettledDays"
#: Duration of a run.
SECONDS = "SettlementSeconds"


def metric_lines(run: NewsRun, deployment: str, ended: datetime) -> Iterator[str]:
    """Yield the lines of a run that `ended` (UTC-aware)."""
    values = {
        CYCLES: len(run.adjustments),
        UNSETTLED: len(run.problems),
        OLDEST_DAYS: run.oldest_left(ended.date()),
        SECONDS: round((ended - run.began).total_seconds(), 3),
    }
    units = {CYCLES: "Count", UNSETTLED: "Count", OLDEST_DAYS: "None", SECONDS: "Seconds"}
    metrics = [{"Name": name, "Unit": units[name]} for name in values]
    yield _line(ended, [DIMENSION], metrics, {DIMENSION: deployment, **values})
    adjusted: Counter[str] = Counter()
    for adjustment in run.adjustments:
        adjusted[adjustment.currency] += abs(adjustment.total)
    for currency, amount in sorted(adjusted.items()):
        own = {DIMENSION: deployment, "Currency": currency, ADJUSTED: amount / 1e6}
        yield _line(ended, [DIMENSION, "Currency"], [{"Name": ADJUSTED, "Unit": "None"}], own)


def _line(at: datetime, dimensions: Sequence[str], metrics: Sequence[dict[str, str]], values: dict[str, Any]) -> str:
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": list(metrics)}
    head = {"Timestamp": round(at.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": head, **values}, separators=(",", ":"))
