"""Alarms of the stream job: what Managed Flink says of the application, and what the job itself counts.

The application reports at level APPLICATION, where there is no backpressure; docs/use/runbook.md says where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.kit.names import Names
from deploy.monitoring.alarm import DATA, FROM, OVER, PAGE, Alarm, Measure, one
from deploy.settings import Environment

FLINK = "AWS/KinesisAnalytics"
#: KPUs of an application that AWS grants without being asked; one KPU more orchestrates.
KPU_QUOTA, ORCHESTRATION = 64, 1
CEILING_SHARE = 0.8
#: Readings that one subtask must have seen within the hour, and the percentage of them that is no longer an accident.
JUDGED_READINGS, BAD_PERCENT = 20, 5.0


def job_alarms(names: Names, environment: Environment) -> list[Alarm]:
    """Alarms on the application."""
    dimensions = {"Application": names.application}

    def alarm(id: str, title: str, meaning: str, metric: str, threshold: float, **more: Any) -> Alarm:
        return Alarm(id, title, meaning, one(Measure(FLINK, metric, dimensions)), threshold, **more)

    def growth(id: str, title: str, meaning: str, metric: str, threshold: float, **more: Any) -> Alarm:
        """Of a metric that counts since the job started."""
        measures = {"counted": Measure(FLINK, metric, dimensions)}
        return Alarm(id, title, meaning, measures, threshold, expression="DIFF(counted)", **more)

    return [
        # An update or a change of parallelism stops the job for minutes, as it must; a quarter of an hour is no update.
        alarm(
            "Downtime", "Job: downtime [ms]", "The job has not run for a quarter of an hour.", "downtime", 0,
            periods=15, missing_is_bad=True, severity=PAGE,
        ),
        growth(
            "Restarts", "Job: restarts in a quarter hour", "The job starts again and again.", "fullRestarts", 2,
            period_s=900, periods=1, severity=PAGE,
        ),
        growth(
            "FailedCheckpoints", "Job: failed checkpoints in five minutes", "State is not saved.",
            "numberOfFailedCheckpoints", 0, period_s=300, periods=3, severity=PAGE,
        ),
        alarm(
            "SlowCheckpoints", "Job: checkpoint duration [ms]", "Saving state takes half of the interval or more.",
            "lastCheckpointDuration", 30_000, comparison=FROM,
        ),
        alarm("Cpu", "Job: CPU [%]", "The job is at the end of its KPUs.", "containerCPUUtilization", 85, periods=15),
        alarm(
            "Memory", "Job: container memory [%]", "Python workers and RocksDB share what the heap leaves.",
            "containerMemoryUtilization", 90,
        ),
        alarm(
            "State", "Job: fullest disk of a container [%]", "State fills the disks of the KPUs.",
            "containerDiskUtilization", 70, period_s=300, periods=3,
        ),
        # It counts since the job started: in alarm until somebody has looked and started the job again.
        alarm(
            "LateDropped", "Job: records dropped as late since the start", "A record was dropped, as none may be.",
            "numLateRecordsDropped", 0, period_s=300, periods=1,
        ),
        alarm("Heap", "Job: heap [%]", "The JVM is short of heap.", "heapMemoryUtilization", 90),
        *_ceiling(dimensions, environment),
        _share("Rejected", "records that are no readings [%]", "read", "rejected", "rejected", dimensions),
        _share("Unpriced", "readings without contract or tariff [%]", "resolved", "unpriced", "unpriced", dimensions),
        _share(
            "ForeignDevice", "readings of devices that the contract does not list [%]", "resolved",
            "rejected_foreign_device", "sent by a device that the meter's contract does not list", dimensions,
        ),
    ]  # fmt: skip


def _ceiling(dimensions: dict[str, str], environment: Environment) -> Iterator[Alarm]:
    """Of an application that grows by itself: how far it still can. The service says the KPUs once an hour."""
    if not environment.autoscaling:
        return
    most = min(KPU_QUOTA, environment.max_parallelism // environment.parallelism_per_kpu) + ORCHESTRATION
    yield Alarm(
        "Kpus", f"Job: KPUs, of {most}", "The job can soon grow no further.",
        one(Measure(FLINK, "KPUs", dimensions)), int(most * CEILING_SHARE), period_s=3600, periods=1, comparison=FROM,
    )  # fmt: skip


def _share(id: str, what: str, all_: str, bad: str, is_bad: str, dimensions: dict[str, str]) -> Alarm:
    """A share of what the job counts (udfs/metrics.py). Each subtask reports both counts since its start, four times a
    minute, so their averages grow as the counts of a subtask do, whatever their number; a start sets them back to zero.
    """
    measures = {name: Measure(FLINK, name, dimensions, "Average") for name in (all_, bad)}
    expression = f"IF(DIFF({all_}) > {JUDGED_READINGS}, 100 * DIFF({bad}) / DIFF({all_}), 0)"
    return Alarm(
        id, f"Job: {what}", f"More than {BAD_PERCENT:.0f} % of what arrives is {is_bad}.", measures, BAD_PERCENT,
        expression=expression, period_s=3600, periods=1, comparison=OVER, owner=DATA,
    )  # fmt: skip
