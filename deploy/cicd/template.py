"""Synthesis of the stack of roles, checked by cdk-nag."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, LegacyStackSynthesizer, Tags
from aws_cdk import Environment as Target

from deploy.app import finish
from deploy.cicd.infrastructure import Cicd
from deploy.settings import APPLICATION, Environment


def write(environment: Environment, repository: str, create_provider: bool, out: Path) -> Path:
    """Write the template and return its path. Raises RepositoryError and FindingsError.

    The template has no assets, because it is deployed before the account is bootstrapped.
    """
    app, name = App(outdir=str(out)), f"{environment.prefix}-cicd"
    stack = Cicd(
        app,
        name,
        environment,
        repository,
        create_provider,
        env=Target(account=environment.account or None, region=environment.region),
        synthesizer=LegacyStackSynthesizer(),
    )
    Tags.of(stack).add("application", APPLICATION)
    Tags.of(stack).add("deployment", environment.prefix)
    finish(app, out, checked=True)
    return out / f"{name}.template.json"
