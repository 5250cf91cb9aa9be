"""The operators' topic, with its own key: notifications about the data key must not depend on that key."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.kit.names import Names

CLOUDWATCH, BUDGETS, EVENTS = "cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.amazonaws.com"


class OperatorsTopic(Construct):
    """An encrypted topic to which only CloudWatch, AWS Budgets and EventBridge may publish."""

    def __init__(self, scope: Construct, id: str, names: Names, addresses: Sequence[str]) -> None:
        super().__init__(scope, id)
        key = kms.Key(
            self,
            "Key",
            alias=f"alias/{names.prefix}-operators",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(self, "Topic", topic_name=f"{names.prefix}-operators", master_key=key, enforce_ssl=True)
        for address in addresses:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))
        for name, conditions in _publishers().items():
            principal = iam.ServicePrincipal(name, conditions=conditions)
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(actions=["sns:Publish"], principals=[principal], resources=[self.topic.topic_arn])
            )
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"], principals=[principal], resources=["*"]
                )
            )


def _publishers() -> dict[str, dict[str, dict[str, str]]]:
    """Services that may publish, with their conditions.

    EventBridge passes neither source account nor source ARN to SNS and KMS (developer guides of EventBridge and SNS); a
    condition on them would deny it.
    """

    def from_here(source: str) -> dict[str, dict[str, str]]:
        return {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, "ArnLike": {"aws:SourceArn": source}}

    return {
        CLOUDWATCH: from_here(f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*"),
        BUDGETS: from_here(f"arn:{Aws.PARTITION}:budgets::{Aws.ACCOUNT_ID}:*"),
        EVENTS: {},
    }
