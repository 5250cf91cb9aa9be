"""Policy of the KMS key that encrypts a deployment's data."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

#: Services that write into encrypted queues and topics.
KEY_USERS = ("sns.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com")


def let_services_use(key: kms.Key) -> None:
    """Let KEY_USERS deliver into encrypted resources, and CloudWatch Logs encrypt, for this account."""
    own = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
    for name in KEY_USERS:
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[iam.ServicePrincipal(name, conditions=own)],
                resources=["*"],
            )
        )
    logs = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            principals=[
                iam.ServicePrincipal(
                    f"logs.{Aws.REGION}.amazonaws.com",
                    conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
                )
            ],
            resources=["*"],
        )
    )
