"""Alarms on the stream job: metrics of Managed Flink, and counters of the job.

The metrics level is APPLICATION, which has no backpressure metric; docs/use/runbook.md names alternatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.kit.names import Names
from deploy.monitoring.alarm import DATA, FROM, OVER, PAGE, Alarm, Measure, one
from deploy.settings import Environment

FLINK = "AWS/KinesisAnalytics"
#: Default quota of KPUs per application; one more KPU is for orchestration.
KPU_QUOTA, ORCHESTRATION = 64, 1
CEILING_SHARE = 0.8
#: Minimum readings per subtask and hour for an alarm on a share, and the threshold [%].
MIN_READINGS, BAD_PERCENT = 20, 5.0


def job_alarms(names: Names, environment: Environment) -> list[Alarm]:
    """All alarms on the application."""
    dimensions = {"Application": names.application}

    def alarm(id: str, title: str, meaning: str, metric: str, threshold: float, **more: Any) -> Alarm:
        return Alarm(id, title, meaning, one(Measure(FLINK, metric, dimensions)), threshold, **more)

    def growth(id: str, title: str, meaning: str, metric: str, threshold: float, **more: Any) -> Alarm:
        """Alarm on the growth of a metric that counts since the start of the job."""
        measures = {"counted": Measure(FLINK, metric, dimensions)}
        return Alarm(id, title, meaning, measures, threshold, expression="DIFF(counted)", **more)

    return [
        # An update or a change of parallelism stops the job for minutes, but not for 15 minutes.
        alarm(
            "Downtime", "Job: downtime [ms]", "The job has not run for a quarter of an hour.", "downtime", 0,
            periods=15, missing_is_bad=True, severity=PAGE,
        ),
        growth(
            "Restarts", "Job: restarts in 15 minutes", "The job restarts repeatedly.", "fullRestarts", 2,
            period_s=900, periods=1, severity=PAGE,
        ),
        growth(
            "FailedCheckpoints", "Job: failed checkpoints in five minutes", "Checkpoints fail: state is not saved.",
            "numberOfFailedCheckpoints", 0, period_s=300, periods=3, severity=PAGE,
        ),
        alarm(
            "SlowCheckpoints", "Job: checkpoint duration [ms]", "Checkpoints take half of their interval or more.",
            "lastCheckpointDuration", 30_000, comparison=FROM,
        ),
        alarm("Cpu", "Job: CPU [%]", "The KPUs are used to capacity.", "containerCPUUtilization", 85, periods=15),
        alarm(
            "Memory", "Job: container memory [%]", "Memory for Python workers and RocksDB is almost used up.",
            "containerMemoryUtilization", 90,
        ),
        alarm(
            "State", "Job: fullest disk of a container [%]", "State is filling the disks of the KPUs.",
            "containerDiskUtilization", 70, period_s=300, periods=3,
        ),
        # A counter since the start of the job: the alarm stays raised until the job is restarted.
        alarm(
            "LateDropped", "Job: records dropped as late since the start",
            "A late record was dropped, which must not happen.", "numLateRecordsDropped", 0, period_s=300, periods=1,
        ),
        alarm("Heap", "Job: heap [%]", "The JVM heap is almost used up.", "heapMemoryUtilization", 90),
        *_ceiling(dimensions, environment),
        _share("Rejected", "invalid records [%]", "read", "rejected", "rejected", dimensions),
        _share("Unpriced", "readings without contract or tariff [%]", "resolved", "unpriced", "unpriced", dimensions),
        _share(
            "ForeignDevice", "readings of devices that the contract does not list [%]", "resolved",
            "rejected_foreign_device", "from a device that the meter's contract does not list", dimensions,
        ),
        growth(
            "FaultyTariffs", "Job: faulty tariff documents, counted at each read",
            "A tariff document is invalid, conflicts with another or was deleted; the last good one is in force.",
            "faulty_tariffs", 0, period_s=900, periods=1, owner=DATA,
        ),
    ]  # fmt: skip


def _ceiling(dimensions: dict[str, str], environment: Environment) -> Iterator[Alarm]:
    """Alarm on the room for autoscaling. Managed Flink reports KPUs once an hour."""
    if not environment.autoscaling:
        return
    most = min(KPU_QUOTA, environment.max_parallelism // environment.parallelism_per_kpu) + ORCHESTRATION
    yield Alarm(
        "Kpus", f"Job: KPUs, of {most}", "Autoscaling is close to the maximum number of KPUs.",
        one(Measure(FLINK, "KPUs", dimensions)), int(most * CEILING_SHARE), period_s=3600, periods=1, comparison=FROM,
    )  # fmt: skip


def _share(id: str, what: str, all_: str, bad: str, is_bad: str, dimensions: dict[str, str]) -> Alarm:
    """Alarm on a share of the job's counters (udfs/metrics.py).

    Each subtask reports both counters since its start, four times a minute. Their averages therefore grow like the
    counters of one subtask, for any number of subtasks. A restart resets them to zero.
    """
    measures = {name: Measure(FLINK, name, dimensions, "Average") for name in (all_, bad)}
    expression = f"IF(DIFF({all_}) > {MIN_READINGS}, 100 * DIFF({bad}) / DIFF({all_}), 0)"
    return Alarm(
        id, f"Job: {what}", f"More than {BAD_PERCENT:.0f} % of records are {is_bad}.", measures, BAD_PERCENT,
        expression=expression, period_s=3600, periods=1, comparison=OVER, owner=DATA,
    )  # fmt: skip
