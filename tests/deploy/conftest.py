"""The templates of every environment, synthesised once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import environment_named

Templates = dict[str, dict[str, Any]]
#: An environment in which everything is used that may be.
EVERYTHING = replace(
    environment_named("dev"),
    name="all",
    operators=("operations@plant.example",),
    recipients=("arn:aws:sns:eu-west-1:111122223333:shift-*", "arn:aws:sqs:eu-west-1:111122223333:cmms"),
    secrets=("arn:aws:secretsmanager:eu-west-1:111122223333:secret:hook-??????",),
    recipient_keys=("arn:aws:kms:eu-west-1:111122223333:key/0000",),
    sentry_secret_arn="arn:aws:secretsmanager:eu-west-1:111122223333:secret:sentry-AbCdEf",
    device_audit=True,
)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Templates by stack name, checked by cdk-nag on the way: a finding would have ended the synthesis."""
    from deploy.app import synthesize
    from deploy.settings import ENVIRONMENTS
    from deploy.stream_job.package import PACKAGE, build

    if not PACKAGE.is_file():
        build()
    out: Path = synthesize(list(ENVIRONMENTS.values()), tmp_path_factory.mktemp("cdk"))
    found = {path.name.removesuffix(".template.json"): path for path in out.glob("*.template.json")}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items()}


@pytest.fixture(scope="session")
def with_operators(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Templates of an environment with operators and a secret for error reports."""
    from deploy.app import synthesize
    from deploy.settings import Environment

    environment = Environment(
        "notified",
        operators=("ana@plant.example", "ravi@plant.example"),
        monthly_budget_usd=700,
        sentry_secret_arn="arn:aws:secretsmanager:eu-west-1:000000000000:secret:sentry-AbCdEf",
    )
    out = synthesize([environment], tmp_path_factory.mktemp("notified"))
    found = {path.name.removesuffix(".template.json"): path for path in out.glob("*.template.json")}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items()}


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Templates of EVERYTHING by stack name."""
    from deploy.app import synthesize

    out = synthesize([EVERYTHING], tmp_path_factory.mktemp("everything"))
    found = {path.name.removesuffix(".template.json"): path for path in out.glob("*.template.json")}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items()}


def of_kind(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Properties of a template's resources of a kind, by logical id."""
    return {name: r.get("Properties", {}) for name, r in template["Resources"].items() if r["Type"] == kind}
