"""Alarms of everything around the job: streams, delivery, functions, tables, the API, devices, uploaded files."""

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
#: Tables, each with its index where it has one.
TABLES = {"alert-state": "by_site", "contracts": "", "last-values": "", "queries": ""}
KEY_METRICS = ("KMSKeyDisabled", "KMSKeyInvalidState", "KMSKeyAccessDenied", "KMSKeyNotFound")
#: Answers 5xx within five minutes that are no accident.
API_ERRORS = 3
_ALERTING = (
    (NO_RECIPIENTS, "Alerting: tenants without recipients", "Alerts reach nobody: the routes name no recipient."),
    (ROUTES_REJECTED, "Alerting: routes that cannot be used", "The last good routes are in force."),
    (RECIPIENTS_DOWN, "Alerting: recipients that cannot be reached", "Messages to a recipient wait."),
    (OVER_BUDGET, "Alerting: notices over a budget", "A recipient's budget of messages is spent."),
    (UNREADABLE, "Alerting: unreadable alerts", "Records of the alerts stream were passed over."),
)


def functions(environment: Environment) -> list[str]:
    """Names of the functions that an environment has."""
    return [
        *("notifier", "sweeper", "alerts-api", "queries-api", "contracts-keeper", "contracts-exporter"),
        *(["last-values"] if environment.last_values else []),
        *(["canary"] if environment.canary else []),
    ]


def delivery_alarms(names: Names) -> Iterator[Alarm]:
    """Of every delivery stream."""
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
            "Rows lie in the error prefix, not in the table.", one(measure("FailedConversion.Records")), 0,
            period_s=300, periods=1,
        )  # fmt: skip
        yield Alarm(
            f"Partitions-{output}", f"Firehose {output}: too many days at once",
            "A backfill touches more days than partitions.", one(measure("PartitionCountExceeded")), 0,
            period_s=300, periods=1,
        )  # fmt: skip
    costs = {"DeliveryStreamName": names.delivery("costs")}
    measures = {f"m{number}": Measure(FIREHOSE, name, costs, "Sum") for number, name in enumerate(KEY_METRICS)}
    yield Alarm(
        "Key", "Key of the data: refusals", "The key that encrypts everything is disabled, deleted or refused.",
        measures, 0, expression=f"MAX([{', '.join(measures)}])", period_s=300, periods=1, severity=PAGE,
    )  # fmt: skip


def stream_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Of the Kinesis streams: who writes is refused, who reads is behind, nobody writes."""
    for what, stream in (("readings", names.readings), ("contracts", names.contracts), ("alerts", names.alerts)):
        dimensions = {"StreamName": stream}
        yield Alarm(
            f"StreamFull-{what}", f"Kinesis {what}: refused records", "Producers are refused.",
            one(Measure(KINESIS, "WriteProvisionedThroughputExceeded", dimensions, "Sum")), 0,
        )  # fmt: skip
        yield Alarm(
            f"Behind-{what}", f"Kinesis {what}: age of what is read [ms]", f"A reader of {what} is behind.",
            one(Measure(KINESIS, "GetRecords.IteratorAgeMilliseconds", dimensions)), 5 * MINUTE_MS, periods=15,
            severity=PAGE,
        )  # fmt: skip
    if environment.quiet_s:
        # What the canary alone puts in counts as no data: a new stream is not reported before its first reading.
        canary = readings_of_canary(environment)
        yield Alarm(
            "NoReadings", "Kinesis readings: records", "No readings arrive.",
            {"records": Measure(KINESIS, "IncomingRecords", {"StreamName": names.readings}, "Sum")}, canary,
            expression=f"IF(records > {canary}, records)", period_s=environment.quiet_s, periods=1, comparison=UP_TO,
            missing_is_bad=True, severity=PAGE, owner=DEVICES,
        )  # fmt: skip


def function_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Of every function; of those behind a stream also how old what they read is."""
    for name in functions(environment):
        dimensions = {"FunctionName": f"{names.prefix}-{name}"}
        for id, metric, meaning in (
            ("Errors", "Errors", f"The function {name} fails."),
            ("Throttles", "Throttles", f"The function {name} is not let run: the account's concurrency is used up."),
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
    """Of the tables and their indexes."""
    for name, index in TABLES.items():
        places = [{"TableName": f"{names.prefix}-{name}"}]
        if index:
            places.append({**places[0], "GlobalSecondaryIndexName": index})
        events = [(metric, place) for place in places for metric in ("ReadThrottleEvents", "WriteThrottleEvents")]
        measures = {f"m{n}": Measure(DYNAMODB, metric, place, "Sum") for n, (metric, place) in enumerate(events)}
        yield Alarm(
            f"TableThrottled-{name}", f"DynamoDB {name}: throttled", f"The table {name} refuses reads or writes.",
            measures, 0, expression=f"SUM([{', '.join(measures)}])", period_s=300, periods=2,
        )  # fmt: skip


def edge_alarms(names: Names, api_id: str, machine_arn: str) -> Iterator[Alarm]:
    """Of the API, of devices, of uploaded files, and of the topics that people are told by."""
    yield Alarm(
        "Api", "API: answers 5xx in five minutes", "The API fails.",
        one(Measure("AWS/ApiGateway", "5xx", {"ApiId": api_id}, "Sum")), API_ERRORS, period_s=300, periods=1,
    )  # fmt: skip
    rule = f"{names.database}_readings"
    for id, metric, meaning, severity in (
        ("RuleFailed", "Failure", "Messages of devices could not be put into the stream; they are kept.", TICKET),
        ("MessagesLost", "ErrorActionFailure", "Messages of devices could not even be kept: they are lost.", PAGE),
    ):
        sql = f"""SELECT SUM({metric}) FROM SCHEMA("AWS/IoT", ActionType, RuleName) WHERE RuleName = '{rule}'"""
        yield Alarm(
            id, f"IoT rule: {metric}", meaning, one(Measure("", sql)), 0, period_s=300, periods=1, severity=severity,
            owner=DEVICES,
        )  # fmt: skip
    yield Alarm(
        "RuleThrottled", "IoT rule: throttled messages", "The rule takes no more messages.",
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
            "A message about an alert could not be delivered.",
            one(Measure("AWS/SNS", "NumberOfNotificationsFailed", {"TopicName": f"{names.prefix}-{topic}"}, "Sum")), 0,
            period_s=300, periods=1,
        )  # fmt: skip


def queue_alarms(names: Names, queues: Sequence[str]) -> Iterator[Alarm]:
    """Of the queues in which nothing should lie."""
    for queue in queues:
        what = queue.removeprefix(f"{names.prefix}-dead-").removesuffix(".fifo")
        yield Alarm(
            f"Dead-{what}", f"Queue {queue}", f"Messages that nobody could take lie in {queue}.",
            one(Measure("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue})), 0, periods=1,
        )  # fmt: skip
