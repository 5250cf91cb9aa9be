"""Do alarms arrive? One is set off, and its message is waited for behind the operators' topic.

A queue of SQS is subscribed to the topic for as long as that takes. Every alarm has the same action, so what is shown
for one (that CloudWatch may publish to the topic, and use its key) is shown for all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.kit.names import Names
from deploy.monitoring.alarms import DRILL

LIMIT_S = 300.0
#: A new subscription takes some seconds to be known everywhere: the alarm is set off again after this long.
AGAIN_S, POLL_S = 30, 5
PENDING = "PendingConfirmation"


class DrillError(RuntimeError):
    """An alarm did not arrive, or nobody would have received it; the message says what to do."""


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one region."""

    cloudwatch: Any
    sns: Any
    sqs: Any


@dataclass(frozen=True)
class Heard:
    """Who is subscribed to the topic: with a confirmed subscription, and with one that is yet to be confirmed."""

    confirmed: tuple[str, ...]
    pending: tuple[str, ...]

    def summary(self) -> str:
        """In a sentence."""
        found = f"alarms arrive at the operators' topic; subscribed: {', '.join(self.confirmed) or 'nobody'}"
        return found + (f"; not confirmed yet: {', '.join(self.pending)}" if self.pending else "")

    def check(self) -> None:
        """Raises DrillError where nobody has confirmed a subscription."""
        if not self.confirmed:
            raise DrillError(
                f"{self.summary()}. Name operators in environments.toml and deploy; each address is then sent a "
                "message with a link that has to be followed"
            )


def drill(clients: Clients, names: Names, now: datetime, limit_s: float = LIMIT_S) -> Heard:
    """Set the alarm `Drill` off, see it arrive, and set it back. Raises DrillError."""
    alarm, topic = f"{names.prefix}-{DRILL}", _topic(clients, names)
    mark = f"drill {now:%Y-%m-%dT%H:%M:%S}"
    with _ear(clients, names, topic, now) as queue:
        heard = _subscribed(clients.sns, topic)
        try:
            _ring(clients, alarm, mark, queue, limit_s)
        finally:
            clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason=f"{mark} is over")
    return heard


def _topic(clients: Clients, names: Names) -> str:
    """The topic that the alarm acts on."""
    found = clients.cloudwatch.describe_alarms(AlarmNames=[f"{names.prefix}-{DRILL}"])["MetricAlarms"]
    if not found:
        raise DrillError(f"there is no alarm {names.prefix}-{DRILL}: deploy first")
    if not found[0]["ActionsEnabled"] or not found[0]["AlarmActions"]:
        raise DrillError(
            f"the actions of alarm {names.prefix}-{DRILL} are disabled, those of others probably too: "
            f"aws cloudwatch enable-alarm-actions --alarm-names {names.prefix}-{DRILL} ..."
        )
    return str(found[0]["AlarmActions"][0])


@contextlib.contextmanager
def _ear(clients: Clients, names: Names, topic: str, now: datetime) -> Iterator[str]:
    """URL of a queue that is subscribed to the topic, and is gone in the end."""
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
    """The policy of a queue (ARN) that a topic (ARN) sends to."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _ring(clients: Clients, alarm: str, mark: str, queue: str, limit_s: float) -> None:
    waited = 0
    while waited < limit_s:
        if waited % AGAIN_S == 0:
            # Only a change of state acts.
            for state in ("OK", "ALARM"):
                clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=mark)
        answer = clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_S)
        if any(_is_it(message["Body"], alarm, mark) for message in answer.get("Messages", ())):
            return
        waited += POLL_S
    raise DrillError(
        f"alarm {alarm} was set off and did not arrive within {limit_s:.0f} s. {_history(clients, alarm)}See "
        "docs/use/runbook.md#drill"
    )


def _is_it(body: str, alarm: str, mark: str) -> bool:
    try:
        message = json.loads(body)
    except json.JSONDecodeError:
        return False
    told = (message.get("AlarmName"), message.get("NewStateValue"), message.get("NewStateReason"))
    return told == (alarm, "ALARM", mark)


def _history(clients: Clients, alarm: str) -> str:
    """What CloudWatch says of the alarm's actions: it names a permission that was missing."""
    found = clients.cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action", MaxRecords=1)
    items = found.get("AlarmHistoryItems", ())
    return f"CloudWatch says: {items[0]['HistorySummary']}. " if items else ""


def _subscribed(sns: Any, topic: str) -> Heard:
    found: dict[bool, list[str]] = {True: [], False: []}
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
        for subscription in page["Subscriptions"]:
            if "-drill-" not in subscription["Endpoint"]:
                found[subscription["SubscriptionArn"] != PENDING].append(subscription["Endpoint"])
    return Heard(tuple(found[True]), tuple(found[False]))
