"""An alarm that reaches nobody is none: from each alarm the way to people is walked, policy by policy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.conftest import Templates
from tests.deploy.paths import ACCOUNT, REGION, Account, allows

DEPLOYED = ["dev", "staging", "prod"]
#: What each service sends along when it publishes. EventBridge sends nothing, neither to SNS nor to KMS: a condition on
#: the source account would never hold (SNS and EventBridge developer guides).
CONTEXT = {
    "cloudwatch.amazonaws.com": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:x",
    "budgets.amazonaws.com": f"arn:aws:budgets::{ACCOUNT}:budget/x",
    "events.amazonaws.com": "",
}


def context(service: str) -> dict[str, str]:
    source = CONTEXT[service]
    return {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": source} if source else {}


def hears(account: Account, stack: str, topic: str, service: str) -> list[str]:
    """Return why a service may not publish to a topic; empty if it may."""
    wrong = []
    policies = [
        properties["PolicyDocument"]
        for (other, _), properties in account.of_kind("AWS::SNS::TopicPolicy").items()
        if topic in [account.text(other, t) for t in properties["Topics"]]
    ]
    if not any(allows(account, stack, policy, service, "sns:Publish", context(service)) for policy in policies):
        wrong.append(f"the policy of {topic} does not let {service} publish")
    key = key_of(account, topic)
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        if not allows(account, key[0], account.stacks[key[0]]["Resources"][key[1]]["Properties"]["KeyPolicy"], service,
                      action, context(service)):  # fmt: skip
            wrong.append(f"the key of {topic} does not let {service} {action}")
    return wrong


def key_of(account: Account, topic: str) -> tuple[str, str]:
    """(stack, logical id) of the key that encrypts a topic."""
    [(stack, properties)] = [
        (where[0], found)
        for where, found in account.of_kind("AWS::SNS::Topic").items()
        if account.name(*where) == topic
    ]
    wanted = account.text(stack, properties["KmsMasterKeyId"])
    [found] = [where for where in account.of_kind("AWS::KMS::Key") if f"arn:{account.name(*where)}" == wanted]
    return found


@pytest.mark.parametrize("environment", DEPLOYED)
def test_every_alarm_reaches_the_operators(templates: Templates, environment: str) -> None:
    account = Account(templates, f"metering-{environment}")
    alarms = account.of_kind("AWS::CloudWatch::Alarm")
    assert len(alarms) > 50
    for (stack, logical), alarm in alarms.items():
        for actions in ("AlarmActions", "OKActions"):
            [topic] = [account.text(stack, action) for action in alarm[actions]]
            assert topic == f"metering-{environment}-operators", logical
            assert not hears(account, stack, topic, "cloudwatch.amazonaws.com")


def test_what_events_and_budgets_say_reaches_the_operators(with_operators: Templates) -> None:
    account = Account(with_operators, "metering-notified")
    topics = {"events.amazonaws.com": set(), "budgets.amazonaws.com": set()}  # type: dict[str, set[str]]
    for (stack, _), rule in account.of_kind("AWS::Events::Rule").items():
        arns = [account.text(stack, target["Arn"]) for target in rule["Targets"]]
        topics["events.amazonaws.com"] |= {arn for arn in arns if "operators" in arn}
    for (stack, _), budget in account.of_kind("AWS::Budgets::Budget").items():
        for notified in budget["NotificationsWithSubscribers"]:
            sns = [s["Address"] for s in notified["Subscribers"] if s["SubscriptionType"] == "SNS"]
            topics["budgets.amazonaws.com"] |= {account.text(stack, address) for address in sns}
    for service, found in topics.items():
        assert found == {"metering-notified-operators"}, service
        assert not hears(account, "metering-notified-monitoring", "metering-notified-operators", service)


@pytest.mark.parametrize("environment", DEPLOYED)
def test_the_loss_of_the_data_key_can_be_told(templates: Templates, environment: str) -> None:
    """A topic that is encrypted with the key of the data falls silent with it."""
    account = Account(templates, f"metering-{environment}")
    assert key_of(account, f"metering-{environment}-operators")[0] == f"metering-{environment}-monitoring"


def test_a_topic_without_a_statement_for_the_service_is_found(templates: Templates) -> None:
    """The walk can fail: nobody lets CloudWatch publish to the topic of people."""
    wrong: Any = hears(
        Account(templates, "metering-dev"), "metering-dev-pipeline", "metering-dev-people", "cloudwatch.amazonaws.com"
    )
    assert "does not let cloudwatch.amazonaws.com publish" in wrong[0]
