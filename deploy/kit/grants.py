"""What one unit may do with another, action by action. A wildcard needs a reason, which cdk-nag is told too."""

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

OBJECTS = "The names of objects are made when they are written; what is reached is this prefix of one bucket."


class WildcardError(ValueError):
    """A grant of everything, without a reason."""


def allow(role: iam.IRole, actions: Sequence[str], *resources: str, because: str = "") -> None:
    """Let a role do `actions` on `resources`. Raises WildcardError for a wildcard without a reason."""
    role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
    for resource in resources:
        if "*" in resource:
            if not because:
                raise WildcardError(f"{resource}: say why a wildcard is right here")
            accept(role, f"AwsSolutions-IAM5[Resource::{shown(Stack.of(role).resolve(resource))}]", because)
    if wild := [action for action in actions if "*" in action]:
        raise WildcardError(f"{', '.join(wild)}: name the actions")


def service(principal: str, scope: IConstruct) -> iam.ServicePrincipal:
    """A service, acting for this account only."""
    return iam.ServicePrincipal(principal, conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}})


def use_key(role: iam.IRole, key: kms.IKey) -> None:
    """Let a role encrypt and decrypt through the services that use the key."""
    allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], key.key_arn)


def read_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Let a role read objects under prefixes of a bucket (by name), or one that is named whole. Listing is part of it:
    without it S3 answers 403, not 404, where an object is missing.
    """
    allow(role, ["s3:ListBucket"], _bucket(bucket))
    for prefix in prefixes:
        allow(role, ["s3:GetObject"], _objects(bucket, prefix), because=OBJECTS)


def write_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Let a role write objects under prefixes, in parts too."""
    for prefix in prefixes:
        allow(role, ["s3:AbortMultipartUpload", "s3:PutObject"], _objects(bucket, prefix), because=OBJECTS)


def deliver_objects(role: iam.IRole, bucket: str, *prefixes: str) -> None:
    """Let a service write objects under prefixes for a role, as Firehose and Athena document it."""
    allow(role, ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], _bucket(bucket))
    write_objects(role, bucket, *prefixes)
    for prefix in prefixes:
        allow(role, ["s3:GetObject"], _objects(bucket, prefix), because=OBJECTS)


def use_table(role: iam.IRole, table: dynamodb.ITable, actions: Sequence[str], *indexes: str) -> None:
    """Let a role do `actions` (`GetItem`, ...) on a table, and query its indexes."""
    allow(role, [f"dynamodb:{action}" for action in actions], table.table_arn)
    for index in indexes:
        allow(role, ["dynamodb:Query"], f"{table.table_arn}/index/{index}")


def shown(resource: Any) -> str:
    """A resource as cdk-nag writes it in a finding."""
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
