"""Every resource that outlives its stack can be imported into the stack when it is made again."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from deploy.kit.npm import installed
from deploy.release.cdk import INSTALLED, MANIFEST
from deploy.release.imports import Account, ImportPlanError, plan, retained
from tests.deploy.conftest import Templates

STACKS = [f"metering-prod-{name}" for name in ("data", "pipeline", "job", "monitoring")]
SUFFIX = "111122223333-eu-west-1"


class S3:
    """Answers which key a bucket is encrypted with."""

    def get_bucket_encryption(self, Bucket: str) -> dict[str, Any]:
        key = f"arn:aws:kms:eu-west-1:111122223333:key/{'b' if '-backups-' in Bucket else 'a'}"
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


class Pools:
    """Lists user pools."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def get_paginator(self, operation: str) -> Pools:
        assert operation == "list_user_pools"
        return self

    def paginate(self, MaxResults: int) -> list[dict[str, Any]]:
        return [{"UserPools": [{"Id": f"eu-west-1_{n}", "Name": name}]} for n, name in enumerate(self.names)]


def account(*pools: str) -> Account:
    return Account("111122223333", "eu-west-1", S3(), Pools(*pools))


@pytest.fixture(scope="module")
def identifiers() -> dict[str, list[str]]:
    """Identifiers of a resource of each type, from CDK's copy of CloudFormation's registry."""
    content = (installed(MANIFEST, INSTALLED, "aws-cdk") / "db.json.gz").read_bytes()
    entities = json.loads(gzip.decompress(content))["schema"]["resource"]["entities"]
    types = [entity[1] if isinstance(entity, list) else entity for entity in entities]
    return {found["cloudFormationType"]: found.get("primaryIdentifier", []) for found in types}


@pytest.mark.parametrize("stack", STACKS)
def test_each_retained_resource_has_the_identifiers_of_its_type(
    templates: Templates, identifiers: dict[str, list[str]], stack: str
) -> None:
    template = templates[stack]
    found = plan(template, account("other", "metering-prod-people"))
    kept = {name for name, r in template["Resources"].items() if str(r.get("DeletionPolicy")).startswith("Retain")}
    assert found.keys() == kept
    for name, values in found.items():
        assert list(values) == identifiers[template["Resources"][name]["Type"]], name
        assert all(values.values()), name
    # In prod the stack of data is what outlives the others.
    assert bool(found) == (stack == "metering-prod-data")


def test_names_are_those_in_the_account(templates: Templates) -> None:
    found = plan(templates["metering-prod-data"], account("metering-prod-people"))
    values = sorted(value for entry in found.values() for value in entry.values())
    assert values == sorted(
        [
            *("a", "b", "eu-west-1_0", "metering-prod-run"),
            *(f"metering-prod-{kind}-{SUFFIX}" for kind in ("lake", "registry", "uploads", "backups", "access-logs")),
            *("metering-prod-readings", "metering-prod-contracts", "metering-prod-alerts"),
            *("metering-prod-contracts", "metering-prod-alert-state"),
        ]
    )


def test_what_is_imported_refers_to_nothing_that_is_not(templates: Templates) -> None:
    """`cdk import` makes the stack of the imported resources alone; the next deployment adds the others."""
    template = templates["metering-prod-data"]
    kept = retained(template)
    for name, resource in kept.items():
        assert set(references(resource)) <= {*kept, "AWS::AccountId", "AWS::Region", "AWS::Partition"}, name


def test_what_cannot_be_identified_is_named(templates: Templates) -> None:
    template = templates["metering-prod-data"]
    with pytest.raises(ImportPlanError, match="0 user pools named metering-prod-people"):
        plan(template, account("other"))
    with pytest.raises(ImportPlanError, match="2 user pools named metering-prod-people"):
        plan(template, account("metering-prod-people", "metering-prod-people"))
    unknown = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": {}}
    with pytest.raises(ImportPlanError, match="New is retained and of type AWS::SQS::Queue"):
        plan({"Resources": {"New": unknown}}, account())
    key = {"Type": "AWS::KMS::Key", "DeletionPolicy": "Retain", "Properties": {}}
    with pytest.raises(ImportPlanError, match="Lost is a retained key"):
        plan({"Resources": {"Lost": key}}, account())


def references(value: Any) -> list[str]:
    """Logical ids and pseudo parameters that a part of a template refers to."""
    if isinstance(value, list):
        return [name for part in value for name in references(part)]
    if not isinstance(value, dict):
        return []
    own = [value["Ref"]] if "Ref" in value else []
    if "Fn::GetAtt" in value:
        own.append(value["Fn::GetAtt"][0])
    depends = value.get("DependsOn", [])
    own += [depends] if isinstance(depends, str) else depends
    return own + [name for part in value.values() for name in references(part)]
