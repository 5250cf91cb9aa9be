"""Every queue, function, stream and table of the templates has its alarms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.kit.names import Names
from deploy.monitoring.alarms import alarms
from deploy.settings import ENVIRONMENTS, Environment
from deploy.stacks import DEAD
from tests.deploy.conftest import Templates
from tests.deploy.paths import Account

#: What each entry of the runbook says, in this order.
STEPS = ["Means", "First look", "Remedy", "Escalate"]
DEPLOYED = ["dev", "staging", "prod"]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "use" / "runbook.md").read_text(encoding="utf-8")
#: Resources without an alarm of their own, and why.
EXEMPT = {
    "inbox.fifo": "a plant's own programs read it, when they like; what they cannot take goes to its dead-letter queue",
    "check": "the check after a deployment reads it; what an earlier check left expires within the hour",
    "operators": "the topic that reports alarms cannot report its own failure; `python -m deploy drill` checks it",
}
#: (namespace, dimension, metrics) that a resource of a kind must have an alarm on.
NEEDED = {
    "AWS::SQS::Queue": ("AWS/SQS", "QueueName", ("ApproximateNumberOfMessagesVisible",)),
    "AWS::SNS::Topic": ("AWS/SNS", "TopicName", ("NumberOfNotificationsFailed",)),
    "AWS::Lambda::Function": ("AWS/Lambda", "FunctionName", ("Errors", "Throttles")),
    "AWS::DynamoDB::Table": ("AWS/DynamoDB", "TableName", ("ReadThrottleEvents", "WriteThrottleEvents")),
    "AWS::ApiGatewayV2::Api": ("AWS/ApiGateway", "ApiId", ("5xx",)),
    "AWS::IoT::TopicRule": ("AWS/IoT", "RuleName", ("RuleMessageThrottled", "Failure", "ErrorActionFailure")),
    "AWS::IoT::ScheduledAudit": ("AWS/IoT", "ScheduledAuditName", ("NonCompliantResources",)),
    "AWS::KinesisFirehose::DeliveryStream": (
        "AWS/Firehose",
        "DeliveryStreamName",
        ("DeliveryToS3.DataFreshness", "ThrottledRecords", "FailedConversion.Records", "PartitionCountExceeded"),
    ),
    "AWS::Kinesis::Stream": (
        "AWS/Kinesis",
        "StreamName",
        ("WriteProvisionedThroughputExceeded", "GetRecords.IteratorAgeMilliseconds"),
    ),
    "AWS::StepFunctions::StateMachine": (
        "AWS/States",
        "StateMachineArn",
        ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"),
    ),
    "AWS::KinesisAnalyticsV2::Application": (
        "AWS/KinesisAnalytics",
        "Application",
        (
            "downtime",
            "fullRestarts",
            "containerDiskUtilization",
            "rejected",
            "unpriced",
            "rejected_foreign_device",
            "faulty_tariffs",
        ),
    ),
}
#: Metrics that Managed Flink reports at level APPLICATION with no dimension but the application, and those of the job.
APPLICATION_LEVEL = {
    *("downtime", "fullRestarts", "numberOfFailedCheckpoints", "lastCheckpointDuration", "containerCPUUtilization"),
    *(
        "containerMemoryUtilization",
        "containerDiskUtilization",
        "numLateRecordsDropped",
        "heapMemoryUtilization",
        "KPUs",
    ),
    *("read", "rejected", "resolved", "unpriced", "rejected_foreign_device", "faulty_tariffs"),
}

Watched = set[tuple[str, str, str, str]]


def watched(account: Account) -> Watched:
    """(namespace, metric, dimension, value) of everything that an alarm looks at."""
    return {
        (namespace, metric, name, value)
        for (stack, _), alarm in account.of_kind("AWS::CloudWatch::Alarm").items()
        for namespace, metric, dimensions in _measures(alarm)
        for name, value in ((d["Name"], account.text(stack, d["Value"])) for d in dimensions)
    }


def _measures(alarm: dict[str, Any]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    if "MetricName" in alarm:
        yield alarm["Namespace"], alarm["MetricName"], alarm.get("Dimensions", [])
    for query in alarm.get("Metrics", ()):
        if "MetricStat" in query:
            found = query["MetricStat"]["Metric"]
            yield found["Namespace"], found["MetricName"], found.get("Dimensions", [])
        elif sql := re.fullmatch(
            r"SELECT \w+\((\w+)\) FROM (?:SCHEMA\()?\"(.+?)\"(?:, .*\))? WHERE (\w+) = '(.+)'", query["Expression"]
        ):
            yield sql[2], sql[1], [{"Name": sql[3], "Value": sql[4]}]


def missing(account: Account) -> list[str]:
    """Return the resources without an alarm."""
    found = watched(account)
    wrong = []
    for kind, (namespace, dimension, metrics) in NEEDED.items():
        for stack, logical in account.of_kind(kind):
            name = account.name(stack, logical)
            if name.removeprefix(f"{account.prefix}-") in EXEMPT:
                continue
            value = f"arn:aws:states:eu-west-1:111122223333:stateMachine:{name}" if dimension.endswith("Arn") else name
            wrong += [f"{kind} {name}: {m}" for m in metrics if (namespace, m, dimension, value) not in found]
    for (stack, _), mapping in account.of_kind("AWS::Lambda::EventSourceMapping").items():
        name = account.text(stack, mapping["FunctionName"])
        if ("AWS/Lambda", "IteratorAge", "FunctionName", name) not in found:
            wrong.append(f"{name}: IteratorAge")
    return wrong


@pytest.mark.parametrize("environment", DEPLOYED)
def test_everything_is_watched(templates: Templates, environment: str) -> None:
    assert missing(Account(templates, f"metering-{environment}")) == []


def test_what_an_environment_may_have_is_watched(everything: Templates) -> None:
    assert missing(Account(everything, "metering-all")) == []


def test_a_new_queue_without_an_alarm_is_found(templates: Templates) -> None:
    """The test above can fail."""
    account = Account(templates, "metering-dev")
    stack = account.stacks["metering-dev-pipeline"]
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "metering-dev-dead-new"}}
    account.stacks["metering-dev-pipeline"] = {**stack, "Resources": {**stack["Resources"], "New": queue}}
    assert missing(account) == ["AWS::SQS::Queue metering-dev-dead-new: ApproximateNumberOfMessagesVisible"]


@pytest.mark.parametrize("environment", DEPLOYED)
def test_no_alarm_watches_what_is_not_there(templates: Templates, environment: str) -> None:
    """A name with a slip in it never has data, and never goes off."""
    account = Account(templates, f"metering-{environment}")
    for kind, (namespace, dimension, _) in NEEDED.items():
        names = {account.name(*where) for where in account.of_kind(kind)}
        for found_namespace, metric, name, value in watched(account):
            if (found_namespace, name) == (namespace, dimension):
                assert value.rpartition(":")[2] in names, (metric, value)


@pytest.mark.parametrize("environment", DEPLOYED)
def test_the_job_is_watched_at_the_level_that_it_reports_at(templates: Templates, environment: str) -> None:
    """Backpressure is reported by task, millisBehindLatest by stream: on the application they never fire."""
    account = Account(templates, f"metering-{environment}")
    [application] = account.of_kind("AWS::KinesisAnalyticsV2::Application").values()
    monitoring = application["ApplicationConfiguration"]["FlinkApplicationConfiguration"]["MonitoringConfiguration"]
    assert monitoring["MetricsLevel"] == "APPLICATION"
    metrics = {metric for namespace, metric, _, _ in watched(account) if namespace == "AWS/KinesisAnalytics"}
    assert metrics <= APPLICATION_LEVEL


def entries() -> dict[str, str]:
    """The runbook's entries of alarms: text by anchor."""
    [part] = re.findall(r"^# Alarms\n(.*?)^# Procedures\n", PAGE, re.MULTILINE | re.DOTALL)
    return {
        name.lower(): text for name, text in re.findall(r"^### (.+?)\n(.*?)(?=^#|\Z)", part, re.MULTILINE | re.DOTALL)
    }


def test_each_alarm_has_an_entry_in_the_runbook_and_each_entry_an_alarm() -> None:
    full = Environment("x", autoscaling=True, quiet_s=3600, device_audit=True)
    found = alarms(Names("x"), full, [f"x-dead-{what}" for what in DEAD])
    assert {alarm.section for alarm in found} == set(entries())


def test_an_entry_says_how_bad_it_is_whose_and_what_to_do() -> None:
    full = Environment("x", autoscaling=True, quiet_s=3600, device_audit=True)
    for alarm in alarms(Names("x"), full, [f"x-dead-{what}" for what in DEAD]):
        text = entries()[alarm.section]
        assert (alarm.severity, alarm.owner) in re.findall(r"\*(page|ticket), (\w+)\*", text), alarm.id
        assert re.findall(r"^- \*\*(.+?):\*\* .", text, re.MULTILINE) == STEPS, alarm.id


def test_no_alarm_goes_off_because_of_an_update_or_is_missed_in_prod() -> None:
    by_id = {alarm.id: alarm for alarm in alarms(Names("x"), ENVIRONMENTS["prod"], [])}
    downtime = by_id["Downtime"]
    assert downtime.periods * downtime.period_s == 900
    assert downtime.missing_is_bad
    # 64 KPUs that AWS grants and one that orchestrates; at four fifths there is time to ask for more.
    assert by_id["Kpus"].threshold == 52
    # What the canary sends, each of its runs tried three times, is no sign of life of a meter.
    assert by_id["NoReadings"].threshold == 12
    assert by_id["NoReadings"].missing_is_bad
