"""The alarms as data: metric, limit, and what it means. docs/operate.md has a section for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.lake.catalog import DELIVERED
from deploy.names import Names

OVER, FROM = "GREATER_THAN_THRESHOLD", "GREATER_THAN_OR_EQUAL_TO_THRESHOLD"
FLINK, FIREHOSE, KINESIS = "AWS/KinesisAnalytics", "AWS/Firehose", "AWS/Kinesis"
MINUTE_MS = 60_000
KPU_DISK_BYTES, DISK_SHARE = 50_000_000_000, 0.7


@dataclass(frozen=True)
class Alarm:
    """An alarm on one metric. `missing_is_bad`: no data is a breach. `cumulative`: the metric counts since the job
    started, so its growth within a period is watched.
    """

    id: str
    title: str
    meaning: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    threshold: float
    statistic: str = "Maximum"
    period_s: int = 60
    periods: int = 5
    comparison: str = OVER
    missing_is_bad: bool = False
    cumulative: bool = False

    @property
    def section(self) -> str:
        """Where docs/operate.md says what to do."""
        return self.id.partition("-")[0].lower() if self.id.startswith(("Freshness", "Errors")) else self.id.lower()


def alarms(names: Names, queues: Sequence[str], kpus: int = 1) -> list[Alarm]:
    """All alarms of a deployment; `queues` are those in which nothing should lie, `kpus` those with state."""
    dead = (_dead(names, queue) for queue in queues)
    return [*_job(names, kpus), *_delivery(names), *_streams(names), *_functions(names), *dead]


def _job(names: Names, kpus: int) -> list[Alarm]:
    application = {"Application": names.application}

    def alarm(id: str, title: str, meaning: str, metric: str, threshold: float, **more: object) -> Alarm:
        return Alarm(id, title, meaning, FLINK, metric, application, threshold, **more)  # type: ignore[arg-type]

    return [
        alarm("Downtime", "Job: downtime [ms]", "The job does not run.", "downtime", 0, periods=3, missing_is_bad=True),
        alarm(
            "Restarts", "Job: restarts in a quarter hour", "The job starts again and again.", "fullRestarts", 2,
            period_s=900, periods=1, cumulative=True,
        ),
        alarm(
            "FailedCheckpoints", "Job: failed checkpoints in five minutes", "State is not saved.",
            "numberOfFailedCheckpoints", 0, period_s=300, periods=3, cumulative=True,
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
            "State", "Job: size of a checkpoint [bytes]", "State fills the disks of the KPUs.", "lastCheckpointSize",
            kpus * KPU_DISK_BYTES * DISK_SHARE,
        ),
        alarm(
            "LateDropped", "Job: records dropped as late in five minutes", "A record was dropped, as none may be.",
            "numLateRecordsDropped", 0, period_s=300, periods=1, cumulative=True,
        ),
        alarm("Heap", "Job: heap [%]", "The JVM is short of heap.", "heapMemoryUtilization", 90),
        alarm(
            "Backpressure", "Job: backpressure [ms/s]", "A sink or an operator cannot keep up.",
            "backPressuredTimeMsPerSecond", 500, statistic="Average", periods=15,
        ),
        alarm(
            "Behind", "Job: behind the stream [ms]", "Readings are read late.", "millisBehindLatest", 5 * MINUTE_MS,
        ),
    ]  # fmt: skip


def _delivery(names: Names) -> list[Alarm]:
    found = []
    for output in DELIVERED:
        dimensions = {"DeliveryStreamName": names.delivery(output)}
        found.append(
            Alarm(
                f"Freshness-{output}", f"Firehose {output}: oldest record [s]", f"Rows of {output} do not reach S3.",
                FIREHOSE, "DeliveryToS3.DataFreshness", dimensions, 1800, period_s=300, periods=2,
            )
        )  # fmt: skip
    costs = {"DeliveryStreamName": names.delivery("costs")}
    return [
        *found,
        Alarm(
            "Throttled", "Firehose costs: throttled records", "The delivery stream takes no more: ask for its quota.",
            FIREHOSE, "ThrottledRecords", costs, 0, statistic="Sum", period_s=300, periods=3,
        ),
        Alarm(
            "Unconverted", "Firehose costs: records not converted", "Rows lie in the error prefix, not in the table.",
            FIREHOSE, "FailedConversion.Records", costs, 0, statistic="Sum", period_s=300, periods=1,
        ),
        Alarm(
            "Partitions", "Firehose costs: too many days at once", "A backfill touches more days than partitions.",
            FIREHOSE, "PartitionCountExceeded", costs, 0, statistic="Sum", period_s=300, periods=1,
        ),
    ]  # fmt: skip


def _streams(names: Names) -> list[Alarm]:
    return [
        Alarm(
            "StreamFull", "Kinesis readings: refused records", "Producers are refused: the stream wants more shards.",
            KINESIS, "WriteProvisionedThroughputExceeded", {"StreamName": names.readings}, 0, statistic="Sum",
        ),
        Alarm(
            "AlertsLate", "Kinesis alerts: iterator age [ms]", "Alerts are told late.",
            "AWS/Lambda", "IteratorAge", {"FunctionName": f"{names.prefix}-notifier"}, MINUTE_MS, periods=3,
        ),
    ]  # fmt: skip


def _functions(names: Names) -> list[Alarm]:
    return [
        Alarm(
            f"Errors-{name}", f"Lambda {name}: errors", f"The function {name} fails.",
            "AWS/Lambda", "Errors", {"FunctionName": f"{names.prefix}-{name}"}, 0,
            statistic="Sum", period_s=300, periods=1,
        )
        for name in ("notifier", "sweeper", "alerts-api", "queries-api")
    ]  # fmt: skip


def _dead(names: Names, queue: str) -> Alarm:
    what = queue.removeprefix(f"{names.prefix}-dead-").removesuffix(".fifo")
    return Alarm(
        f"Dead-{what}", f"Queue {queue}", f"Messages that nobody could take lie in {queue}.",
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue}, 0, periods=1,
    )  # fmt: skip
