"""Alarms on services around the job: streams, delivery, functions, tables, API, devices, uploaded files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.alerting.runtime.metrics import (
    DIMENSION,
    NAMESPACE,
    NO_RECIPIENTS,
    OVER_BUDGET,
    RECIPIENTS_DOWN,
    ROUTES_REJECTED,
    UNREADABLE,
)
from deploy.kit.names import Names
from deploy.monitoring.alarm import DEVICES, PAGE, TICKET, UP_TO, Alarm, Measure, one
from deploy.monitoring.canary import readings_of_canary
from deploy.settings import Environment
from flink_job.schemas import OUTPUTS, SERVICE_TABLES

FIREHOSE, KINESIS, LAMBDA, DYNAMODB = "AWS/Firehose", "AWS/Kinesis", "AWS/Lambda", "AWS/DynamoDB"
MINUTE_MS = 60_000
#: Tables with the name of their index, if any.
TABLES = {"alert-state": "by_site", "contracts": "", "last-values": "", "queries": ""}
KEY_METRICS = ("KMSKeyDisabled", "KMSKeyInvalidState", "KMSKeyAccessDenied", "KMSKeyNotFound")
#: Threshold of 5xx responses in five minutes.
API_ERRORS = 3
_ALERTING = (
    (
        NO_RECIPIENTS,
        "Alerting: tenants without recipients",
        "Nobody is notified of alerts: the routes name no recipient.",
    ),
    (ROUTES_REJECTED, "Alerting: invalid routes", "New routes are invalid; the last valid ones stay in use."),
    (
        RECIPIENTS_DOWN,
        "Alerting: unreachable recipients",
        "Messages to a recipient cannot be delivered; they are retried.",
    ),
    (OVER_BUDGET, "Alerting: notifications over a limit", "A recipient has used up its message limit."),
    (UNREADABLE, "Alerting: unreadable alerts", "Records of the alerts stream were skipped as unreadable."),
)


def functions(environment: Environment) -> list[str]:
    """Names of an environment's functions."""
    return [
        *("notifier", "sweeper", "alerts-api", "queries-api", "contracts-keeper", "contracts-exporter"),
        *(["last-values"] if environment.last_values else []),
        *(["canary"] if environment.canary else []),
    ]


def delivery_alarms(names: Names) -> Iterator[Alarm]:
    """Alarms on every delivery stream, and on its use of the data key."""
    for output in (*OUTPUTS, *SERVICE_TABLES):
        dimensions = {"DeliveryStreamName": names.delivery(output)}

        def measure(metric: str, statistic: str = "Sum", of: dict[str, str] = dimensions) -> Measure:
            return Measure(FIREHOSE, metric, of, statistic)

        yield Alarm(
            f"Freshness-{output}", f"Firehose {output}: oldest record [s]", f"Rows of {output} do not reach S3.",
            one(measure("DeliveryToS3.DataFreshness", "Maximum")), 1800, period_s=300, periods=2, severity=PAGE,
        )  # fmt: skip
        yield Alarm(
            f"Throttled-{output}", f"Firehose {output}: throttled records", "The delivery stream is at its quota.",
            one(measure("ThrottledRecords")), 0, period_s=300, periods=3,
        )  # fmt: skip
        yield Alarm(
            f"Unconverted-{output}", f"Firehose {output}: records not converted",
            "Rows were written to the error prefix instead of the table.", one(measure("FailedConversion.Records")), 0,
            period_s=300, periods=1,
        )  # fmt: skip
        yield Alarm(
            f"Partitions-{output}", f"Firehose {output}: too many days at once",
            "A backfill covers more days than there are partitions.", one(measure("PartitionCountExceeded")), 0,
            period_s=300, periods=1,
        )  # fmt: skip
    costs = {"DeliveryStreamName": names.delivery("costs")}
    measures = {f"m{number}": Measure(FIREHOSE, name, costs, "Sum") for number, name in enumerate(KEY_METRICS)}
    yield Alarm(
        "Key", "Data key: failures", "The data key is disabled, deleted or access to it is denied.",
        measures, 0, expression=f"MAX([{', '.join(measures)}])", period_s=300, periods=1, severity=PAGE,
    )  # fmt: skip


def stream_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Alarms on the Kinesis streams: throttled producers, lagging consumers, no readings."""
    for what, stream in (("readings", names.readings), ("contracts", names.contracts), ("alerts", names.alerts)):
        dimensions = {"StreamName": stream}
        yield Alarm(
            f"StreamFull-{what}", f"Kinesis {what}: throttled records", "Producers are throttled.",
            one(Measure(KINESIS, "WriteProvisionedThroughputExceeded", dimensions, "Sum")), 0,
        )  # fmt: skip
        yield Alarm(
            f"Behind-{what}", f"Kinesis {what}: iterator age [ms]", f"A consumer of {what} is behind.",
            one(Measure(KINESIS, "GetRecords.IteratorAgeMilliseconds", dimensions)), 5 * MINUTE_MS, periods=15,
            severity=PAGE,
        )  # fmt: skip
    if environment.quiet_s:
        # Canary records alone count as no data: nobody is notified before the first reading of a new stream.
        canary = readings_of_canary(environment)
        yield Alarm(
            "NoReadings", "Kinesis readings: records", "No readings arrive.",
            {"records": Measure(KINESIS, "IncomingRecords", {"StreamName": names.readings}, "Sum")}, canary,
            expression=f"IF(records > {canary}, records)", period_s=environment.quiet_s, periods=1, comparison=UP_TO,
            missing_is_bad=True, severity=PAGE, owner=DEVICES,
        )  # fmt: skip


def function_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Alarms on every function; for stream consumers also on the iterator age."""
    for name in functions(environment):
        dimensions = {"FunctionName": f"{names.prefix}-{name}"}
        for id, metric, meaning in (
            ("Errors", "Errors", f"The function {name} fails."),
            ("Throttles", "Throttles", f"The function {name} is throttled: the account's concurrency is used up."),
        ):
            yield Alarm(
                f"{id}-{name}", f"Lambda {name}: {metric.lower()}", meaning,
                one(Measure(LAMBDA, metric, dimensions, "Sum")), 0, period_s=300, periods=1,
            )  # fmt: skip
        if name in ("notifier", "last-values", "contracts-keeper"):
            yield Alarm(
                f"Late-{name}", f"Lambda {name}: iterator age [ms]", f"The function {name} is behind its stream.",
                one(Measure(LAMBDA, "IteratorAge", dimensions)), (1 if name == "notifier" else 5) * MINUTE_MS,
                periods=3, severity=PAGE if name == "notifier" else TICKET,
            )  # fmt: skip


def table_alarms(names: Names) -> Iterator[Alarm]:
    """Alarms on throttled tables and indexes."""
    for name, index in TABLES.items():
        places = [{"TableName": f"{names.prefix}-{name}"}]
        if index:
            places.append({**places[0], "GlobalSecondaryIndexName": index})
        events = [(metric, place) for place in places for metric in ("ReadThrottleEvents", "WriteThrottleEvents")]
        measures = {f"m{n}": Measure(DYNAMODB, metric, place, "Sum") for n, (metric, place) in enumerate(events)}
        yield Alarm(
            f"TableThrottled-{name}", f"DynamoDB {name}: throttled", f"Reads or writes of table {name} are throttled.",
            measures, 0, expression=f"SUM([{', '.join(measures)}])", period_s=300, periods=2,
        )  # fmt: skip


def edge_alarms(names: Names, api_id: str, machine_arn: str) -> Iterator[Alarm]:
    """Alarms on the API, devices, uploaded files, alerting, and the topics of notifications."""
    yield Alarm(
        "Api", "API: 5xx responses in five minutes", "The API fails.",
        one(Measure("AWS/ApiGateway", "5xx", {"ApiId": api_id}, "Sum")), API_ERRORS, period_s=300, periods=1,
    )  # fmt: skip
    rule = f"{names.database}_readings"
    for id, metric, meaning, severity in (
        ("RuleFailed", "Failure", "Messages of devices did not reach the stream; they are stored in a queue.", TICKET),
        (
            "MessagesLost",
            "ErrorActionFailure",
            "Messages of devices reached neither the stream nor the queue: they are lost.",
            PAGE,
        ),
    ):
        sql = f"""SELECT SUM({metric}) FROM SCHEMA("AWS/IoT", ActionType, RuleName) WHERE RuleName = '{rule}'"""
        yield Alarm(
            id, f"IoT rule: {metric}", meaning, one(Measure("", sql)), 0, period_s=300, periods=1, severity=severity,
            owner=DEVICES,
        )  # fmt: skip
    yield Alarm(
        "RuleThrottled", "IoT rule: throttled messages", "The IoT rule is throttled.",
        one(Measure("AWS/IoT", "RuleMessageThrottled", {"RuleName": rule}, "Sum")), 0, period_s=300, periods=1,
        severity=PAGE, owner=DEVICES,
    )  # fmt: skip
    ended = ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
    measures = {f"m{n}": Measure("AWS/States", m, {"StateMachineArn": machine_arn}, "Sum") for n, m in enumerate(ended)}
    yield Alarm(
        "Uploads", "Uploaded files: not published", "An uploaded file was not published.", measures, 0,
        expression=f"SUM([{', '.join(measures)}])", period_s=300, periods=1,
    )  # fmt: skip
    for name, title, meaning in _ALERTING:
        yield Alarm(
            name, title, meaning, one(Measure(NAMESPACE, name, {DIMENSION: names.prefix}, "Maximum")), 0,
            period_s=300, periods=1,
        )  # fmt: skip
    for topic in ("people", "people.fifo"):
        yield Alarm(
            f"NotDelivered-{topic.replace('.', '-')}", f"SNS {topic}: messages not delivered",
            "A notification of an alert could not be delivered.",
            one(Measure("AWS/SNS", "NumberOfNotificationsFailed", {"TopicName": f"{names.prefix}-{topic}"}, "Sum")), 0,
            period_s=300, periods=1,
        )  # fmt: skip


def queue_alarms(names: Names, queues: Sequence[str]) -> Iterator[Alarm]:
    """Alarms on the dead-letter queues."""
    for queue in queues:
        what = queue.removeprefix(f"{names.prefix}-dead-").removesuffix(".fifo")
        yield Alarm(
            f"Dead-{what}", f"Queue {queue}", f"There are undeliverable messages in {queue}.",
            one(Measure("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue})), 0, periods=1,
        )  # fmt: skip
