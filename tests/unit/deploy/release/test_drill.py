"""The drill of alarms with fake AWS services, and the cost allocation tag with answers of the API model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.kit.names import Names
from deploy.release.costs import TAG, activate_tag
from deploy.release.drill import Clients, DrillError, Subscribers, drill

NAMES, NOON = Names("metering-x"), datetime(2026, 3, 28, 12, tzinfo=UTC)
TOPIC, QUEUE = "arn:aws:sns:eu-west-1:111122223333:metering-x-operators", "arn:aws:sqs:eu-west-1:111122223333:q"


class Aws:
    """Fake CloudWatch, SNS and SQS. `delivers`: whether the topic delivers the alarm; `late`: messages of other alarms
    that are delivered before it.
    """

    def __init__(self, delivers: bool = True, late: tuple[str, ...] = (), subscribed: tuple[str, ...] = ()) -> None:
        self.delivers, self.messages, self.subscribed = delivers, list(late), subscribed
        self.states: list[str] = []
        self.gone: list[str] = []

    def describe_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        return {"MetricAlarms": [{"ActionsEnabled": True, "AlarmActions": [TOPIC]}]}

    def set_alarm_state(self, AlarmName: str, StateValue: str, StateReason: str) -> None:
        self.states.append(StateValue)
        if self.delivers:
            message = {"AlarmName": AlarmName, "NewStateValue": StateValue, "NewStateReason": StateReason}
            self.messages.append(json.dumps(message))

    def describe_alarm_history(self, **given: Any) -> dict[str, Any]:
        return {"AlarmHistoryItems": [{"HistorySummary": "Failed to execute action: not authorized to SNS:Publish"}]}

    def create_queue(self, **given: Any) -> dict[str, str]:
        return {"QueueUrl": "url"}

    def get_queue_attributes(self, **given: Any) -> dict[str, Any]:
        return {"Attributes": {"QueueArn": QUEUE}}

    def set_queue_attributes(self, QueueUrl: str, Attributes: dict[str, str]) -> None:
        [statement] = json.loads(Attributes["Policy"])["Statement"]
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC}}

    def receive_message(self, **given: Any) -> dict[str, Any]:
        return {"Messages": [{"Body": self.messages.pop(0)}]} if self.messages else {}

    def delete_queue(self, QueueUrl: str) -> None:
        self.gone.append(QueueUrl)

    def subscribe(self, **given: Any) -> dict[str, str]:
        assert (given["TopicArn"], given["Endpoint"]) == (TOPIC, QUEUE)
        return {"SubscriptionArn": "subscription"}

    def unsubscribe(self, SubscriptionArn: str) -> None:
        self.gone.append(SubscriptionArn)

    def get_paginator(self, name: str) -> Aws:
        return self

    def paginate(self, TopicArn: str) -> list[dict[str, Any]]:
        found = [{"Endpoint": "arn:...:metering-x-drill-1", "SubscriptionArn": "subscription"}]
        for address in self.subscribed:
            arn = "PendingConfirmation" if address.startswith("new") else f"{TOPIC}:{address}"
            found.append({"Endpoint": address, "SubscriptionArn": arn})
        return [{"Subscriptions": found}]


def clients(aws: Aws) -> Clients:
    return Clients(aws, aws, aws)


def test_drill_finds_its_alarm_and_resets_it() -> None:
    aws = Aws(late=("no JSON", json.dumps({"AlarmName": "metering-x-Cpu", "NewStateValue": "ALARM"})))
    assert drill(clients(aws), NAMES, NOON).confirmed == ()
    assert aws.states == ["OK", "ALARM", "OK"]
    assert aws.gone == ["subscription", "url"]


def test_drill_reports_cloudwatch_reason_when_not_delivered() -> None:
    aws = Aws(delivers=False)
    with pytest.raises(DrillError, match=r"within 60 s\. CloudWatch reports: .*not authorized to SNS:Publish"):
        drill(clients(aws), NAMES, NOON, limit_s=60)
    # Raised again until the limit, then reset; queue and subscription are deleted.
    assert aws.states == ["OK", "ALARM", "OK", "ALARM", "OK"]
    assert aws.gone == ["subscription", "url"]


def test_drill_fails_without_confirmed_subscribers() -> None:
    found = drill(clients(Aws(subscribed=("ana@plant.example", "new@plant.example"))), NAMES, NOON)
    assert found == Subscribers(("ana@plant.example",), ("new@plant.example",))
    found.check()
    with pytest.raises(DrillError, match=r"pending: new@plant\.example"):
        Subscribers((), found.pending).check()


def test_cost_allocation_tag_is_activated() -> None:
    ce = boto3.client("ce", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    asked = {"CostAllocationTagsStatus": [{"TagKey": TAG, "Status": "Active"}]}
    with Stubber(ce) as stub:
        stub.add_response("update_cost_allocation_tags_status", {"Errors": []}, asked)
        assert activate_tag(ce) == ""
        unknown = {"Errors": [{"TagKey": TAG, "Code": "TagKeysNotFoundException", "Message": "Tag keys not found"}]}
        stub.add_response("update_cost_allocation_tags_status", unknown, asked)
        assert "Tag keys not found" in activate_tag(ce)
        stub.add_client_error("update_cost_allocation_tags_status", "ValidationException", "Tag keys not found: x")
        assert "cost-tag` tomorrow" in activate_tag(ce)
        stub.add_client_error("update_cost_allocation_tags_status", "AccessDeniedException", "linked account")
        assert "management account" in activate_tag(ce)
