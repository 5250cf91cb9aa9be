"""Alarms on the nightly settlement: runs that fail, supplies that cannot be settled, and nights without a run."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.kit.names import Names
from deploy.monitoring.alarm import DATA, Alarm, Measure, one
from deploy.settings import Environment
from flink_job.billing.settlement_metrics import DIMENSION, NAMESPACE, OLDEST_DAYS, UNSETTLED

DAY_S = 86_400
#: Age of news that are not settled at which the alarm is raised [days].
LATE_DAYS = 3


def settlement_alarms(names: Names, environment: Environment, machine_arn: str) -> Iterator[Alarm]:
    """Alarms on the state machine, and on the metrics of its runs."""
    if not environment.settlement:
        return
    ended = ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
    measures = {f"m{n}": Measure("AWS/States", m, {"StateMachineArn": machine_arn}, "Sum") for n, m in enumerate(ended)}
    yield Alarm(
        "SettlementFailed", "Settlement: failed runs", "A nightly settlement failed after its retries.", measures, 0,
        expression=f"SUM([{', '.join(measures)}])", period_s=300, periods=1,
    )  # fmt: skip
    dimensions = {DIMENSION: names.prefix}
    yield Alarm(
        "Unsettled", "Settlement: supplies that could not be settled", "Bills of some supplies cannot be settled.",
        one(Measure(NAMESPACE, UNSETTLED, dimensions)), 0, period_s=DAY_S, periods=1, owner=DATA,
    )  # fmt: skip
    yield Alarm(
        "SettlementLate", "Settlement: age of the oldest unsettled news [days]",
        "News have not been settled for days, or no settlement has ended for a day.",
        one(Measure(NAMESPACE, OLDEST_DAYS, dimensions)), LATE_DAYS, period_s=DAY_S, periods=1, missing_is_bad=True,
    )  # fmt: skip
