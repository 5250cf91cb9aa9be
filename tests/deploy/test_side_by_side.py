"""An environment that reads the inputs of another one may read them and nothing else of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import Environment
from tests.deploy.conftest import Templates, of_kind
from tests.deploy.iam import granted


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Template of the job of an environment `green`, whose source is `dev`."""
    from deploy.app import synthesize

    out: Path = synthesize([Environment("green", source="dev", canary=False)], tmp_path_factory.mktemp("green"))
    found: dict[str, Any] = json.loads((out / "metering-green-job.template.json").read_text(encoding="utf-8"))
    return found


def of_dev(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(action, resource) of the job's role on resources named after dev."""
    for actions in granted(job).values():
        for action, resources in actions.items():
            yield from ((action, resource) for resource in resources if "metering-dev" in resource)


def test_the_job_reads_the_inputs_of_its_source(job: dict[str, Any]) -> None:
    [application] = of_kind(job, "AWS::KinesisAnalyticsV2::Application").values()
    properties = application["ApplicationConfiguration"]["EnvironmentProperties"]["PropertyGroups"]
    groups = {group["PropertyGroupId"]: group["PropertyMap"] for group in properties}
    assert groups["readings"]["stream"] == "metering-dev-readings"
    assert groups["contracts"]["stream"] == "metering-dev-contracts"
    for uri in (groups["contracts"]["snapshot_uri"], groups["tariffs"]["uri"], groups["tariffs"]["rules_uri"]):
        assert "metering-dev-registry-" in json.dumps(uri)
    assert groups["tariffs"]["keep_copies"] == "false"
    assert groups["outputs"]["costs"] == "metering-green-costs"
    assert groups["outputs"]["alerts_stream"] == "metering-green-alerts"


def test_it_may_read_them_and_no_more_of_its_source(job: dict[str, Any]) -> None:
    found = sorted(
        (action, re.sub("^.*?(stream/)?metering-dev", r"\1metering-dev", arn)) for action, arn in of_dev(job)
    )
    registry = "metering-dev-registry-<AWS::AccountId>-<AWS::Region>"
    reads = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
    assert found == sorted(
        [
            *((read, f"stream/metering-dev-{name}") for read in reads for name in ("readings", "contracts")),
            ("s3:ListBucket", registry),
            *(
                ("s3:GetObject", f"{registry}/{key}")
                for key in ("tariffs/*", "rules/rules.yaml", "contracts/snapshot.ndjson.gz")
            ),
        ]
    )


def test_it_decrypts_with_the_key_of_its_source_only(job: dict[str, Any]) -> None:
    statements = [
        statement
        for policy in of_kind(job, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement
    ]
    [by_alias] = statements
    assert by_alias["Action"] == "kms:Decrypt"
    assert by_alias["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/metering-dev"}}


def test_an_environment_without_a_source_reads_its_own(templates: Templates) -> None:
    text = json.dumps(templates["metering-dev-job"])
    assert "metering-dev-readings" in text
    assert "kms:ResourceAliases" not in text
