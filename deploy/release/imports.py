"""Resource mappings for `cdk import`, which imports retained resources into a stack that is created again.

A deleted stack leaves its retained resources behind. CloudFormation imports them by their identifiers, which this
module finds for every retained resource of a template.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.errors import DeployError

Template = Mapping[str, Any]

#: By resource type: (identifier for an import, property of the template with its value; "" if AWS assigns it).
IDENTIFIERS = {
    "AWS::Cognito::UserPool": ("UserPoolId", ""),
    "AWS::DynamoDB::Table": ("TableName", "TableName"),
    "AWS::ECR::Repository": ("RepositoryName", "RepositoryName"),
    "AWS::KMS::Key": ("KeyId", ""),
    "AWS::Kinesis::Stream": ("Name", "Name"),
    "AWS::S3::Bucket": ("BucketName", "BucketName"),
}


class ImportPlanError(DeployError, RuntimeError):
    """A retained resource that cannot be identified; the message names it and the next step."""


@dataclass(frozen=True)
class Account:
    """Account and region of the resources; `s3` and `cognito` are boto3 clients."""

    id: str
    region: str
    s3: Any
    cognito: Any


def retained(template: Template) -> dict[str, dict[str, Any]]:
    """Resources that outlive their stack, by logical id."""
    policies = ("Retain", "RetainExceptOnCreate")
    return {name: r for name, r in template["Resources"].items() if r.get("DeletionPolicy") in policies}


def plan(template: Template, account: Account) -> dict[str, dict[str, str]]:
    """The resource mapping of a stack: identifiers by logical id. Raises ImportPlanError."""
    return {
        name: {_identifier(name, resource)[0]: _value(template, name, resource, account)}
        for name, resource in retained(template).items()
    }


def _identifier(name: str, resource: Mapping[str, Any]) -> tuple[str, str]:
    kind = resource["Type"]
    if kind not in IDENTIFIERS:
        raise ImportPlanError(
            f"{name} is retained and of type {kind}, whose identifier for an import is not in deploy/release/imports.py"
        )
    return IDENTIFIERS[kind]


def _value(template: Template, name: str, resource: Mapping[str, Any], account: Account) -> str:
    _, source = _identifier(name, resource)
    if source:
        return _text(resource["Properties"][source], account)
    if resource["Type"] == "AWS::KMS::Key":
        return _key(template, name, account)
    return _pool(_text(resource["Properties"]["UserPoolName"], account), account)


def _key(template: Template, name: str, account: Account) -> str:
    """Id of a key, found by a bucket that it encrypts: its alias is deleted with the stack."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::S3::Bucket" and {"Fn::GetAtt": [name, "Arn"]} in _masters(resource):
            bucket = _text(resource["Properties"]["BucketName"], account)
            answer = account.s3.get_bucket_encryption(Bucket=bucket)
            [rule] = answer["ServerSideEncryptionConfiguration"]["Rules"]
            if found := rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"):
                return str(found).rpartition("/")[2]
            raise ImportPlanError(
                f"bucket {bucket} is no longer encrypted with key {name}: add the key's id to the mapping yourself"
            )
    raise ImportPlanError(
        f"{name} is a retained key that encrypts no bucket of its stack: add its id to the mapping yourself"
    )


def _masters(bucket: Mapping[str, Any]) -> list[Any]:
    encryption = bucket["Properties"].get("BucketEncryption", {})
    rules = encryption.get("ServerSideEncryptionConfiguration", ())
    return [rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules]


def _pool(name: str, account: Account) -> str:
    pages = account.cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
    found = [str(pool["Id"]) for page in pages for pool in page["UserPools"] if pool["Name"] == name]
    if len(found) != 1:
        raise ImportPlanError(
            f"there are {len(found)} user pools named {name} ({', '.join(found)}): delete or rename those that do not "
            "belong to this deployment, or add the id of the right one to the mapping yourself"
        )
    return found[0]


def _text(value: Any, account: Account) -> str:
    """A name of a template with its pseudo parameters resolved."""
    if isinstance(value, str):
        return value
    known = {"AWS::AccountId": account.id, "AWS::Region": account.region}
    if "Ref" in value and value["Ref"] in known:
        return known[value["Ref"]]
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part, account) for part in parts)
    raise ImportPlanError(f"a name in the template is only known after deployment: {value}")
