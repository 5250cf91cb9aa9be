"""`make deploy` against the local endpoint: CDK's own command line, bootstrap, stacks, start, check, removal."""

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
from deploy.release.application import Application, StateChangedError
from deploy.release.registry import RegistryError, upload
from deploy.stream_job.state import current_state
from tests.harness.jobs import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
NAMES = Names("metering-dev", f"000000000000-{REGION}")
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
STACKS = {f"metering-dev-{name}" for name in ("data", "pipeline", "job", "watch")}


@dataclass
class Account:
    """An account that the endpoint plays."""

    url: str

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m deploy ...`."""
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
    """The first deployment; the endpoint says RUNNING of a job that it does not run."""
    return account.run("up", "--env", "dev", "--yes", "--limit-s", "5")


def test_everything_is_deployed_and_started(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    assert account.stacks() >= STACKS, deployed.stderr
    application = Application(account.client("kinesisanalyticsv2"), NAMES.application)
    assert application.status() == "RUNNING"
    assert application.deployed_state() == current_state()
    assert "the registry were empty" in deployed.stdout


def test_an_uploaded_file_finds_the_snapshot_of_contracts_before_the_first_hourly_export(
    account: Account, deployed: subprocess.CompletedProcess[str]
) -> None:
    body = account.client("s3").get_object(Bucket=NAMES.registry, Key=CONTRACTS)["Body"].read()
    assert gzip.decompress(body) == b""


def test_what_a_deployment_would_change_is_shown(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    """Of what is deployed: nothing."""
    shown = account.run("diff", "--env", "dev")
    assert shown.returncode == 0, shown.stderr
    assert "Number of stacks with differences: 0" in shown.stdout + shown.stderr


def test_cloudformation_is_no_administrator(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    iam = account.client("iam")
    role = f"cdk-metering-cfn-exec-role-000000000000-{REGION}"

    def attached() -> list[str]:
        found = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return sorted(policy["PolicyArn"] for policy in found)

    first = f"arn:aws:iam::000000000000:policy/metering-cloudformation-{REGION}-1"
    policies = attached()
    assert first in policies
    assert all(":policy/metering-cloudformation-" in arn for arn in policies)
    # A policy that somebody changed is put right; one that is right is left.
    iam.create_policy_version(PolicyArn=first, PolicyDocument=json.dumps(NOTHING), SetAsDefault=True)
    for _ in range(2):
        assert account.run("bootstrap", "--env", "dev").returncode == 0
    assert attached() == policies
    versions = iam.list_policy_versions(PolicyArn=first)["Versions"]
    assert [v["VersionId"] for v in versions if v["IsDefaultVersion"]] == ["v3"]


def test_an_alarm_arrives_before_anything_else_is_said(
    account: Account, deployed: subprocess.CompletedProcess[str]
) -> None:
    said = " ".join(deployed.stdout.split())
    assert "alarms arrive at the operators' topic; subscribed: nobody" in said
    assert "nobody is notified of alarms" in said
    # The endpoint has no billing: the budget's tag is told to be missing, and the deployment goes on.
    assert "python -m deploy cost-tag" in said


def test_a_drill_leaves_nothing_behind_and_fails_where_nobody_would_hear(account: Account, deployed: Any) -> None:
    done = account.run("drill", "--env", "dev")
    assert done.returncode == 1
    assert "environments.toml" in done.stderr
    assert "alarms arrive" in done.stderr
    assert not account.client("sqs").list_queues(QueueNamePrefix="metering-dev-drill-").get("QueueUrls")
    [alarm] = account.client("cloudwatch").describe_alarms(AlarmNames=["metering-dev-Drill"])["MetricAlarms"]
    assert alarm["StateValue"] == "OK"
    [topic] = alarm["AlarmActions"]
    assert not account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]


def test_an_alarm_whose_actions_are_disabled_is_no_alarm(account: Account, deployed: Any) -> None:
    cloudwatch = account.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["metering-dev-Drill"])
    try:
        done = account.run("drill", "--env", "dev")
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=["metering-dev-Drill"])
    assert done.returncode == 1
    assert "enable-alarm-actions" in done.stderr


def test_what_keeps_its_data_is_not_deployed_without_operators(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "environments.toml"
    said.write_text('[prod]\naccount = "000000000000"\n')
    monkeypatch.setenv("METERING_ENVIRONMENTS", str(said))
    done = account.run("up", "--env", "prod", "--yes")
    assert done.returncode == 1
    assert "[prod]" in done.stderr
    assert "operators" in done.stderr


def test_running_without_a_job_is_no_success(deployed: subprocess.CompletedProcess[str]) -> None:
    assert deployed.returncode == 1
    said = " ".join(deployed.stderr.split())
    assert "did not arrive within 5 s" in said
    assert "docs/use/runbook.md#downtime" in said


def test_what_is_deployed_can_be_asked(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    said = account.run("status", "--env", "dev").stdout
    assert f"metering-dev-job: RUNNING, state {current_state()}" in said


def test_a_version_with_other_state_is_refused(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    application = Application(account.client("kinesisanalyticsv2"), NAMES.application)
    application.check_state(current_state())
    with pytest.raises(StateChangedError, match="--drop-state"):
        application.check_state("another")


def test_documents_with_a_fault_are_not_uploaded(account: Account, deployed: Any, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{rule_id: x}]")
    s3 = account.client("s3")
    with pytest.raises(RegistryError, match=r"rules\.yaml"):
        upload(s3, NAMES.registry, SAMPLES / "tariffs", rules)
    assert account.run("registry", "--env", "dev", "--rules", str(rules)).returncode == 1
    assert upload(s3, NAMES.registry, rules=SAMPLES / "rules.yaml") == ["rules/rules.yaml"]


@pytest.mark.parametrize("environment", ["prod", "nowhere"])
def test_what_must_stay_is_not_removed(account: Account, environment: str) -> None:
    done = account.run("down", "--env", environment, "--yes")
    assert done.returncode == 1
    assert "retain" in done.stderr or "no environment" in done.stderr


def test_removed_with_all_its_data(account: Account, deployed: subprocess.CompletedProcess[str]) -> None:
    done = account.run("down", "--env", "dev", "--yes")
    assert done.returncode == 0, done.stderr
    assert not account.stacks() & STACKS
    buckets = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert NAMES.lake not in buckets
