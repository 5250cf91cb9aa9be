"""`make deploy` at the local endpoint: bootstrap, stacks with the CDK command line, start, checks, removal."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.kit.names import CONTRACTS, Names
from deploy.local.endpoint import CREDENTIALS, endpoint, free_port
from deploy.release.registry import RegistryError, upload
from deploy.stream_job.application import Application, StateChangedError
from deploy.stream_job.state import current_state
from tests.harness.jobs import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
NAMES = Names("metering-dev", f"000000000000-{REGION}")
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
STACKS = {f"metering-dev-{name}" for name in ("data", "pipeline", "job", "monitoring")}


@dataclass
class Account:
    """The AWS account of the local endpoint."""

    url: str

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m deploy ...`."""
        variables = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": self.url}
        line = [sys.executable, "-m", "deploy", *arguments]
        return subprocess.run(line, env=variables, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    def stacks(self) -> set[str]:
        found = self.client("cloudformation").describe_stacks()["Stacks"]
        return {s["StackName"] for s in found if not s["StackStatus"].startswith("DELETE")}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield Account(url)


@pytest.fixture(scope="module")
def deployed(account: Account) -> subprocess.CompletedProcess[str]:
    """The first deployment; the endpoint reports RUNNING but runs no job."""
    return account.run("up", "--env", "dev", "--yes", "--limit-s", "5")


def test_up_deploys_all_stacks_and_starts_the_job(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    assert account.stacks() >= STACKS, deployed.stderr
    application = Application(account.client("kinesisanalyticsv2"), NAMES.application)
    assert application.status() == "RUNNING"
    assert application.deployed_state() == current_state()
    assert "The registry was empty" in deployed.stdout


def test_up_exports_contracts_before_the_hourly_schedule(
    account: Account, deployed: subprocess.CompletedProcess[str]
) -> None:
    body = account.client("s3").get_object(Bucket=NAMES.registry, Key=CONTRACTS)["Body"].read()
    assert gzip.decompress(body) == b""


def test_diff_shows_no_change_after_a_deployment(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    shown = account.run("diff", "--env", "dev")
    assert shown.returncode == 0, shown.stderr
    assert "Number of stacks with differences: 0" in shown.stdout + shown.stderr


def test_cloudformation_role_has_least_privilege_policies(
    account: Account, deployed: subprocess.CompletedProcess[str]
) -> None:
    iam = account.client("iam")
    role = f"cdk-metering-cfn-exec-role-000000000000-{REGION}"

    def attached() -> list[str]:
        found = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return sorted(policy["PolicyArn"] for policy in found)

    first = f"arn:aws:iam::000000000000:policy/metering-cloudformation-{REGION}-1"
    policies = attached()
    assert first in policies
    assert all(":policy/metering-cloudformation-" in arn for arn in policies)
    # A changed policy is corrected; a correct one is left unchanged.
    iam.create_policy_version(PolicyArn=first, PolicyDocument=json.dumps(NOTHING), SetAsDefault=True)
    for _ in range(2):
        assert account.run("bootstrap", "--env", "dev").returncode == 0
    assert attached() == policies
    versions = iam.list_policy_versions(PolicyArn=first)["Versions"]
    assert [v["VersionId"] for v in versions if v["IsDefaultVersion"]] == ["v3"]


def test_up_checks_alarm_delivery(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    output = " ".join(deployed.stdout.split())
    assert "Alarms are delivered to the operators' topic; confirmed subscribers: none" in output
    assert "No alarm recipients" in output
    # The endpoint has no billing: a missing cost allocation tag is reported, and the deployment continues.
    assert "python -m deploy cost-tag" in output


def test_drill_cleans_up_and_fails_without_subscribers(account: Account, deployed: Any) -> None:
    done = account.run("drill", "--env", "dev")
    assert done.returncode == 1
    assert "environments.toml" in done.stderr
    assert "Alarms are delivered" in done.stderr
    assert not account.client("sqs").list_queues(QueueNamePrefix="metering-dev-drill-").get("QueueUrls")
    [alarm] = account.client("cloudwatch").describe_alarms(AlarmNames=["metering-dev-Drill"])["MetricAlarms"]
    assert alarm["StateValue"] == "OK"
    [topic] = alarm["AlarmActions"]
    assert not account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]


def test_drill_fails_when_alarm_actions_are_disabled(account: Account, deployed: Any) -> None:
    cloudwatch = account.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["metering-dev-Drill"])
    try:
        done = account.run("drill", "--env", "dev")
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=["metering-dev-Drill"])
    assert done.returncode == 1
    assert "enable-alarm-actions" in done.stderr


def test_up_refuses_retained_data_without_operators(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = tmp_path / "environments.toml"
    overrides.write_text('[prod]\naccount = "000000000000"\n')
    monkeypatch.setenv("METERING_ENVIRONMENTS", str(overrides))
    done = account.run("up", "--env", "prod", "--yes")
    assert done.returncode == 1
    assert "[prod]" in done.stderr
    assert "operators" in done.stderr


def test_up_fails_when_no_cost_arrives(deployed: subprocess.CompletedProcess[str]) -> None:
    assert deployed.returncode == 1
    output = " ".join(deployed.stderr.split())
    assert "did not arrive within 5 s" in output
    assert "docs/use/runbook.md#downtime" in output


def test_status_shows_the_deployed_state(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    output = account.run("status", "--env", "dev").stdout
    assert f"metering-dev-job: RUNNING, state {current_state()}" in output


def test_version_with_different_state_is_refused(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    application = Application(account.client("kinesisanalyticsv2"), NAMES.application)
    application.check_state(current_state())
    with pytest.raises(StateChangedError, match="--drop-state"):
        application.check_state("another")


def test_invalid_documents_are_not_uploaded(account: Account, deployed: Any, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{rule_id: x}]")
    s3 = account.client("s3")
    with pytest.raises(RegistryError, match=r"rules\.yaml"):
        upload(s3, NAMES.registry, SAMPLES / "tariffs", rules)
    assert account.run("registry", "--env", "dev", "--rules", str(rules)).returncode == 1
    assert upload(s3, NAMES.registry, rules=SAMPLES / "rules.yaml") == ["rules/rules.yaml"]


@pytest.mark.parametrize("environment", ["prod", "nowhere"])
def test_down_refuses_retained_and_unknown_environments(account: Account, environment: str) -> None:
    done = account.run("down", "--env", environment, "--yes")
    assert done.returncode == 1
    assert "retain" in done.stderr or "no environment" in done.stderr


def test_down_removes_stacks_and_data(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    done = account.run("down", "--env", "dev", "--yes")
    assert done.returncode == 0, done.stderr
    assert not account.stacks() & STACKS
    buckets = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert NAMES.lake not in buckets
