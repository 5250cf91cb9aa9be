"""Grants of IAM actions. A wildcard needs a reason, which is also passed to cdk-nag."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import IConstruct

from deploy.kit.nag import accept

OBJECTS = "Object keys are created at run time; the grant covers one prefix of one bucket."


class WildcardError(ValueError):
    """A wildcard without a reason, or a wildcard in an action."""


def allow(role: iam.IRole, actions: Sequence[str], *resources: str, because: str = "") -> None:
    """Allow a role `actions` on `resources`. Raises WildcardError for a wildcard without a reason."""
    role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
    for resource in resources:
        if "*" in resource:
            if not because:
                raise WildcardError(f"{resource}: give the reason for the wildcard (because=...)")
            accept(role, f"AwsSolutions-IAM5[Resource::{shown(Stack.of(role).resolve(resource))}]", because)
    if wild := [action for action in actions if "*" in action]:
        raise WildcardError(f"{', '.join(wild)}: name the actions")


def service(principal: str, scope: IConstruct) -> iam.ServicePrincipal:
    """Service principal, restricted to requests for this account."""
    return iam.ServicePrincipal(principal, conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}})


def use_key(role: iam.IRole, key: kms.IKey) -> None:
    """Allow a role to encrypt and decrypt with a key."""
    allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], key.key_arn)


def use_key_by_alias(role: iam.IRole, alias: str) -> None:
    """Allow a role to decrypt with the key that has an alias, in this account and region."""
    key = Stack.of(role).format_arn(service="kms", resource="key", resource_name="*")
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key],
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{alias}"}},
        )
    )
    shown_key = shown(Stack.of(role).resolve(key))
    accept(role, f"AwsSolutions-IAM5[Resource::{shown_key}]", "The alias in the condition names one key.")


def read_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Allow a role to read objects of a bucket (by name): those under a prefix that ends in `/`, or a single key.

    Includes s3:ListBucket; without it S3 answers 403 instead of 404 for a missing object.
    """
    allow(role, ["s3:ListBucket"], _bucket(bucket))
    for prefix in prefixes:
        allow(role, ["s3:GetObject"], _objects(bucket, prefix), because=OBJECTS)


def write_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Allow a role to write objects under prefixes, including multipart uploads."""
    for prefix in prefixes:
        allow(role, ["s3:AbortMultipartUpload", "s3:PutObject"], _objects(bucket, prefix), because=OBJECTS)


def deliver_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Allow the S3 actions that Firehose and Athena document for their destinations."""
    allow(role, ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], _bucket(bucket))
    write_objects(role, bucket, *prefixes)
    for prefix in prefixes:
        allow(role, ["s3:GetObject"], _objects(bucket, prefix), because=OBJECTS)


def use_table(role: iam.IRole, table: dynamodb.ITable, actions: Sequence[str], *indexes: str) -> None:
    """Allow a role `actions` (`GetItem`, ...) on a table, and queries of its indexes."""
    allow(role, [f"dynamodb:{action}" for action in actions], table.table_arn)
    for index in indexes:
        allow(role, ["dynamodb:Query"], f"{table.table_arn}/index/{index}")


def shown(resource: Any) -> str:
    """A resource in the notation of cdk-nag's findings."""
    if isinstance(resource, str):
        return resource
    if "Fn::Join" in resource:
        return "".join(shown(part) for part in resource["Fn::Join"][1])
    if "Ref" in resource:
        return f"<{resource['Ref']}>"
    if "Fn::GetAtt" in resource:
        return f"<{'.'.join(resource['Fn::GetAtt'])}>"
    return json.dumps(resource, separators=(",", ":"))


def _bucket(name: str) -> str:
    return f"arn:{Aws.PARTITION}:s3:::{name}"


def _objects(bucket: str, prefix: str) -> str:
    return f"{_bucket(bucket)}/{prefix}{'*' if prefix.endswith('/') else ''}"
