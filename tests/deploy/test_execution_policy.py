"""CloudFormation may make what is in the templates, and little else."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.release.execution_policy import (
    LIMIT,
    PASSED_TO,
    UnknownTypeError,
    actions_for,
    learned,
    policies,
    size,
    used_types,
)
from tests.deploy.conftest import Templates, of_kind
from tests.deploy.iam import types_in

ACCOUNT, REGION = "111122223333", "eu-west-1"


@pytest.fixture(scope="module")
def statements() -> list[dict[str, Any]]:
    return [s for policy in policies(used_types(), ACCOUNT, REGION) for s in policy["Statement"]]


def test_each_type_of_the_templates_is_covered_and_no_other(templates: Templates, everything: Templates) -> None:
    assert types_in([*templates.values(), *everything.values()]) == used_types(), (
        "`python -m tests.deploy.iam` writes them"
    )
    actions_for(used_types())


def test_an_unknown_type_is_a_fault_that_says_what_to_do() -> None:
    with pytest.raises(UnknownTypeError, match=r"AWS::Chatbot::SlackChannelConfiguration: .*describe-type"):
        policies({"AWS::Chatbot::SlackChannelConfiguration"}, ACCOUNT, REGION)


def test_policies_fit_into_iam(statements: list[dict[str, Any]]) -> None:
    found = policies(used_types(), ACCOUNT, REGION)
    assert max(map(size, found)) <= LIMIT
    assert len(found) <= 10, "a role has at most ten managed policies"
    assert sum(len(policy["Statement"]) for policy in found) == len(statements)


def test_every_action_is_allowed_once_and_by_name(statements: list[dict[str, Any]]) -> None:
    allowed = [action for s in statements for action in _list(s["Action"])]
    assert len(allowed) == len(set(allowed))
    assert set(allowed) == actions_for(used_types())
    assert not [action for action in allowed if "*" in action]


def test_nothing_reaches_beyond_the_account_and_the_region(statements: list[dict[str, Any]]) -> None:
    for statement in statements:
        if statement["Resource"] == "*":
            assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": REGION}}
            continue
        for arn in _list(statement["Resource"]):
            _, _, service, region, account, name = arn.split(":", 5)
            assert region in ("", REGION), arn
            assert account in ("", ACCOUNT), arn
            assert account or service in ("s3", "apigateway"), arn
            assert service != "iam" or name.startswith(("role/metering-", "role/aws-service-role/")), arn


def test_roles_are_passed_to_the_services_that_take_them_on(
    templates: Templates, everything: Templates, statements: list[dict[str, Any]]
) -> None:
    [passing] = [s for s in statements if s["Action"] == "iam:PassRole"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": list(PASSED_TO)}}
    principals = {
        statement["Principal"]["Service"]
        for template in (*templates.values(), *everything.values())
        for role in of_kind(template, "AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert principals == set(PASSED_TO)


def test_names_in_the_templates_lie_in_what_may_be_made(templates: Templates, statements: list[dict[str, Any]]) -> None:
    """A bucket, a queue, a stream of a name that the policies do not cover could not be made."""
    kinds = {
        "AWS::DynamoDB::Table": ("TableName", "dynamodb:CreateTable", "arn:aws:dynamodb:{}:{}:table/"),
        "AWS::ECR::Repository": ("RepositoryName", "ecr:CreateRepository", "arn:aws:ecr:{}:{}:repository/"),
        "AWS::IoT::TopicRule": ("RuleName", "iot:CreateTopicRule", "arn:aws:iot:{}:{}:rule/"),
        "AWS::Kinesis::Stream": ("Name", "kinesis:CreateStream", "arn:aws:kinesis:{}:{}:stream/"),
        "AWS::KinesisFirehose::DeliveryStream": (
            "DeliveryStreamName", "firehose:CreateDeliveryStream", "arn:aws:firehose:{}:{}:deliverystream/"
        ),
        "AWS::Lambda::Function": ("FunctionName", "lambda:CreateFunction", "arn:aws:lambda:{}:{}:function:"),
        "AWS::Logs::LogGroup": ("LogGroupName", "logs:CreateLogGroup", "arn:aws:logs:{}:{}:log-group:"),
        "AWS::SNS::Topic": ("TopicName", "sns:CreateTopic", "arn:aws:sns:{}:{}:"),
        "AWS::SQS::Queue": ("QueueName", "sqs:CreateQueue", "arn:aws:sqs:{}:{}:"),
    }  # fmt: skip
    seen = set()
    for stack, template in templates.items():
        for kind, (field, action, begin) in kinds.items():
            for logical, properties in of_kind(template, kind).items():
                name = properties.get(field, f"{stack}-{logical}-ABCDEFGHIJKL")
                arn = begin.format(REGION, ACCOUNT) + name
                assert any(fnmatch.fnmatchcase(arn, p) for p in _resources(statements, action)), arn
                seen.add(kind)
    assert seen == set(kinds)


def test_a_type_is_learned_from_its_schema() -> None:
    schema = {
        "handlers": {"create": {"permissions": ["a:B"]}, "list": {"permissions": ["a:ListAll"]}},
        "tagging": {"permissions": ["a:Tag"]},
    }
    assert learned(schema) == ["a:B", "a:Tag"]


def _resources(statements: list[dict[str, Any]], action: str) -> Iterator[str]:
    for statement in statements:
        if action in _list(statement["Action"]):
            yield from _list(statement["Resource"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
