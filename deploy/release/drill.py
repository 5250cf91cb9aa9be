"""Checks that alarms are delivered: raises a test alarm and waits for its message from the operators' topic.

An SQS queue is subscribed to the topic during the drill. Every alarm has the same action, so a delivery of one shows
for all that CloudWatch may publish to the topic and use its key.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.errors import DeployError
from deploy.kit.names import Names
from deploy.monitoring.alarms import DRILL

LIMIT_S = 300.0
#: A new subscription takes some seconds to become active: the alarm is raised again after this interval.
AGAIN_S, POLL_S = 30, 5
PENDING = "PendingConfirmation"


class DrillError(DeployError, RuntimeError):
    """The alarm was not delivered, or no subscription is confirmed; the message says what to do."""


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one region."""

    cloudwatch: Any
    sns: Any
    sqs: Any


@dataclass(frozen=True)
class Subscribers:
    """Endpoints subscribed to the operators' topic: with a confirmed and with a pending subscription."""

    confirmed: tuple[str, ...]
    pending: tuple[str, ...]

    def summary(self) -> str:
        """One sentence for people."""
        confirmed = ", ".join(self.confirmed) or "none"
        pending = f"; pending: {', '.join(self.pending)}" if self.pending else ""
        return f"Alarms are delivered to the operators' topic; confirmed subscribers: {confirmed}{pending}"

    def check(self) -> None:
        """Raises DrillError if no subscription is confirmed."""
        if not self.confirmed:
            raise DrillError(
                f"{self.summary()}. Set `operators` in environments.toml and deploy; AWS then sends each address a "
                "message with a confirmation link"
            )


def drill(clients: Clients, names: Names, now: datetime, limit_s: float = LIMIT_S) -> Subscribers:
    """Raise the alarm `Drill`, wait for its message, reset it; returns the subscribers. Raises DrillError."""
    alarm, topic = f"{names.prefix}-{DRILL}", _topic(clients, names)
    mark = f"drill {now:%Y-%m-%dT%H:%M:%S}"
    with _subscribed_queue(clients, names, topic, now) as queue:
        subscribers = _subscribers(clients.sns, topic)
        try:
            _raise_alarm(clients, alarm, mark, queue, limit_s)
        finally:
            clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason=f"{mark} is over")
    return subscribers


def _topic(clients: Clients, names: Names) -> str:
    """ARN of the topic that the alarm notifies."""
    found = clients.cloudwatch.describe_alarms(AlarmNames=[f"{names.prefix}-{DRILL}"])["MetricAlarms"]
    if not found:
        raise DrillError(f"alarm {names.prefix}-{DRILL} does not exist: run `python -m deploy up` first")
    if not found[0]["ActionsEnabled"] or not found[0]["AlarmActions"]:
        raise DrillError(
            f"the actions of alarm {names.prefix}-{DRILL} are disabled, and probably those of other alarms. Enable "
            f"them: aws cloudwatch enable-alarm-actions --alarm-names {names.prefix}-{DRILL} ..."
        )
    return str(found[0]["AlarmActions"][0])


@contextlib.contextmanager
def _subscribed_queue(clients: Clients, names: Names, topic: str, now: datetime) -> Iterator[str]:
    """URL of a temporary queue that is subscribed to the topic."""
    name = f"{names.prefix}-drill-{now:%Y%m%dT%H%M%S}"
    url = clients.sqs.create_queue(QueueName=name, Attributes={"SqsManagedSseEnabled": "true"})["QueueUrl"]
    subscription = None
    try:
        arn = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(queue_policy(arn, topic))})
        subscription = clients.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        yield url
    finally:
        if subscription:
            clients.sns.unsubscribe(SubscriptionArn=subscription)
        clients.sqs.delete_queue(QueueUrl=url)


def queue_policy(queue: str, topic: str) -> dict[str, Any]:
    """Policy of a queue (ARN) that lets a topic (ARN) send to it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _raise_alarm(clients: Clients, alarm: str, mark: str, queue: str, limit_s: float) -> None:
    waited = 0
    while waited < limit_s:
        if waited % AGAIN_S == 0:
            # An alarm notifies on transitions only.
            for state in ("OK", "ALARM"):
                clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=mark)
        answer = clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_S)
        if any(_is_alarm(message["Body"], alarm, mark) for message in answer.get("Messages", ())):
            return
        waited += POLL_S
    raise DrillError(
        f"alarm {alarm} was raised but not delivered within {limit_s:.0f} s. {_history(clients, alarm)}See "
        "docs/use/runbook.md#drill"
    )


def _is_alarm(body: str, alarm: str, mark: str) -> bool:
    try:
        message = json.loads(body)
    except json.JSONDecodeError:
        return False
    found = (message.get("AlarmName"), message.get("NewStateValue"), message.get("NewStateReason"))
    return found == (alarm, "ALARM", mark)


def _history(clients: Clients, alarm: str) -> str:
    """CloudWatch's last record of the alarm's actions, which names a missing permission."""
    found = clients.cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action", MaxRecords=1)
    items = found.get("AlarmHistoryItems", ())
    return f"CloudWatch reports: {items[0]['HistorySummary']}. " if items else ""


def _subscribers(sns: Any, topic: str) -> Subscribers:
    found: dict[bool, list[str]] = {True: [], False: []}
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
        for subscription in page["Subscriptions"]:
            if "-drill-" not in subscription["Endpoint"]:
                found[subscription["SubscriptionArn"] != PENDING].append(subscription["Endpoint"])
    return Subscribers(tuple(found[True]), tuple(found[False]))
