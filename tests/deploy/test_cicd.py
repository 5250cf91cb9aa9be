"""Roles that workflows assume: whom they trust, to the letter, and what they may do; and the workflow that does so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cicd.infrastructure import AUDIENCE, ISSUER, RepositoryError
from deploy.cicd.template import write
from deploy.kit.names import CONTRACTS, SNAPSHOT
from deploy.settings import environment_named
from flink_job.dataflow.environment import PROJECT
from tests.deploy import documented as aws
from tests.deploy.conftest import of_kind
from tests.deploy.iam import granted
from tests.deploy.test_calls import actions_of
from tests.harness.aws_calls import Code

WORKFLOW = PROJECT / "deploy" / "cicd" / "github" / "deploy.yml"
REPOSITORY = "plant-example/metering"
RELEASE = PROJECT / "deploy" / "release"
#: Docker's, and CDK's roles.
NOT_CALLED = {
    *(f"ecr:{name}" for name in ("BatchCheckLayerAvailability", "CompleteLayerUpload", "InitiateLayerUpload")),
    *("ecr:PutImage", "ecr:UploadLayerPart", "sts:AssumeRole"),
}
#: Needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = {"sts:GetCallerIdentity"}


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return template(tmp_path_factory.mktemp("cicd"), "prod", REPOSITORY)


def template(folder: Path, name: str, repository: str, create_provider: bool = True) -> dict[str, Any]:
    environment = replace(environment_named(name), account="111122223333")
    found: dict[str, Any] = json.loads(write(environment, repository, create_provider, folder).read_text())
    return found


def roles(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {role["RoleName"]: role for role in of_kind(template, "AWS::IAM::Role").values()}


def test_roles_trust_one_repository_and_one_environment(prod: dict[str, Any]) -> None:
    subjects = {
        "metering-prod-deploy": [f"repo:{REPOSITORY}:environment:prod"],
        "metering-prod-plan": [f"repo:{REPOSITORY}:pull_request", f"repo:{REPOSITORY}:ref:refs/heads/main"],
    }
    assert roles(prod).keys() == subjects.keys()
    for name, role in roles(prod).items():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Condition"] == {
            "StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subjects[name]},
        }
        assert "ManagedPolicyArns" not in role


def test_the_provider_is_githubs_for_awss_audience(prod: dict[str, Any], tmp_path: Path) -> None:
    [provider] = of_kind(prod, "AWS::IAM::OIDCProvider").values()
    assert provider == {
        "ClientIdList": [AUDIENCE],
        "Tags": [{"Key": "application", "Value": "metering"}, {"Key": "deployment", "Value": "metering-prod"}],
        "Url": f"https://{ISSUER}",
    }
    second = template(tmp_path, "staging", REPOSITORY, create_provider=False)
    assert not of_kind(second, "AWS::IAM::OIDCProvider")
    assert f"oidc-provider/{ISSUER}" in json.dumps(roles(second)["metering-staging-deploy"])


def test_an_immutable_subject_is_taken_as_it_is(tmp_path: Path) -> None:
    found = template(tmp_path, "prod", "plant-example@123/metering@456")
    [statement] = roles(found)["metering-prod-deploy"]["AssumeRolePolicyDocument"]["Statement"]
    subject = statement["Condition"]["StringEquals"][f"{ISSUER}:sub"]
    assert subject == ["repo:plant-example@123/metering@456:environment:prod"]


@pytest.mark.parametrize(
    "repository", ["", "plant-example", "*/metering", "plant-example/*", "a/b:environment:x", "a@1/b", "a/b@1", "a/b/c"]
)
def test_what_is_no_repository_is_refused(tmp_path: Path, repository: str) -> None:
    with pytest.raises(RepositoryError, match="owner/name"):
        template(tmp_path, "prod", repository)


def test_the_plan_role_may_look_and_nothing_else(prod: dict[str, Any]) -> None:
    found = {name: actions for name, actions in granted(prod).items() if name.startswith("Plan")}
    [actions] = found.values()
    assert actions.keys() == {"sts:AssumeRole"}
    [role] = actions["sts:AssumeRole"]
    assert role.endswith(":role/cdk-metering-lookup-role-111122223333-eu-west-1")


def test_the_deploy_role_may_do_what_a_deployment_does_and_no_more(prod: dict[str, Any]) -> None:
    """The calls of `up`, found in its source, are what the role allows, no more and no less."""
    [actions] = [actions for name, actions in granted(prod).items() if name.startswith("Deploy")]
    files = [
        path
        for path in (PROJECT / "deploy").rglob("*.py")
        if "local" not in path.parts
        and ("runtime" not in path.parts or path.name in ("athena.py", "exporter.py"))
        # `up --restore` is for operators, whose permissions are in docs/use/recovery.md.
        and "backup" not in (*path.parts, path.stem)
    ]
    source = Code(files, ("athena", "cloudwatch", "kinesis", "sns", "sqs"))
    calls = source.calls(PROJECT / "deploy" / "commands" / "up.py", "up", registered=False)
    for module, function in (("smoke", "check"), ("smoke_alert", "check"), ("drill", "drill")):
        calls |= source.calls(RELEASE / f"{module}.py", function, registered=False)
    calls |= source.calls(PROJECT / "deploy" / "stream_job" / "snapshots.py", "prune", registered=False)
    needed = actions_of(calls)
    assert {f"{needed[action]}: {action}" for action in needed.keys() - actions.keys() - FREE} == set()
    assert actions.keys() - needed.keys() - NOT_CALLED == set()
    assert aws.IMPLIED["athena:StartQueryExecution"] <= actions.keys()
    assert {arn.rpartition("role/")[2].split("-role-")[0] for arn in actions["sts:AssumeRole"]} == {
        *("cdk-metering-deploy", "cdk-metering-file-publishing", "cdk-metering-lookup"),
    }


def test_the_deploy_role_may_write_what_a_deployment_exports(prod: dict[str, Any]) -> None:
    [actions] = [actions for name, actions in granted(prod).items() if name.startswith("Deploy")]
    written = {arn.rpartition(":::")[2].partition("/")[2] for arn in actions["s3:PutObject"]}
    assert {CONTRACTS, SNAPSHOT} <= written


def test_the_deploy_role_stays_within_its_environment(prod: dict[str, Any]) -> None:
    [actions] = [actions for name, actions in granted(prod).items() if name.startswith("Deploy")]
    anywhere = {action for action, arns in actions.items() if "*" in arns}
    assert anywhere == {"ce:UpdateCostAllocationTagsStatus", "ecr:GetAuthorizationToken", "sns:Unsubscribe"}
    shared = re.compile(r":glue:.*:(catalog|database/default)$|:role/cdk-metering-|:kms:")
    for action, arns in actions.items():
        for arn in arns - {"*"}:
            assert "metering-prod" in arn or "metering_prod" in arn or shared.search(arn), (action, arn)
    [statement] = [
        statement
        for policy in of_kind(prod, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "kms:Decrypt" in statement["Action"]
    ]
    assert statement["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/metering-prod"}}


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def test_the_workflow_assumes_the_roles_of_the_stack(workflow: dict[Any, Any]) -> None:
    assumed = {
        name: step["with"]["role-to-assume"].rpartition("/")[2]
        for name, job in workflow["jobs"].items()
        for step in job["steps"]
        if "configure-aws-credentials" in step.get("uses", "")
    }
    assert assumed == {
        "plan": "metering-${{ matrix.environment }}-plan",
        "staging": "metering-staging-deploy",
        "prod": "metering-prod-deploy",
    }
    environments = {name: job.get("environment") for name, job in workflow["jobs"].items()}
    assert environments == {"test": None, "synth": None, "plan": None, "staging": "staging", "prod": "prod"}


def test_prod_comes_after_staging_and_staging_after_the_tests(workflow: dict[Any, Any]) -> None:
    jobs = workflow["jobs"]
    assert jobs["prod"]["needs"] == "staging"
    assert set(jobs["staging"]["needs"]) == {"test", "plan"}
    assert jobs["staging"]["if"] == "github.event_name == 'push'"
    # `on` is a boolean to YAML 1.1.
    assert workflow[True]["push"] == {"branches": ["main"]}
    assert "pull_request_target" not in workflow[True]


def test_only_jobs_that_need_a_token_may_ask_for_one(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        uses_aws = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
        wanted = {"contents": "read", "id-token": "write"} if uses_aws else None
        assert job.get("permissions") == wanted, name
        assert "timeout-minutes" in job


def test_actions_are_pinned_by_commit_and_named_by_version() -> None:
    used = re.findall(r"uses: (\S+)(.*)", WORKFLOW.read_text(encoding="utf-8"))
    assert len(used) > 10
    for action, comment in used:
        assert re.fullmatch(r"(actions|aws-actions)/[a-z-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert len({action.split("@")[0] for action, _ in used}) == len(set(used))


def test_no_event_text_reaches_a_shell(workflow: dict[Any, Any]) -> None:
    """A branch name or a title in a command is code of its author."""
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert set(re.findall(r"\$\{\{(.*?)\}\}", step.get("run", ""))) <= {" matrix.environment "}


def test_actionlint_has_nothing_to_say() -> None:
    found = PROJECT / "build" / "actionlint"
    tool = str(found) if found.is_file() else shutil.which("actionlint")
    if tool is None:
        pytest.skip("no actionlint here: `make build/actionlint` builds it where Go is installed")
    done = subprocess.run([tool, str(WORKFLOW)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
