"""Commands on the stacks of an environment: bootstrap, diff, image, import-plan, down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import boto3
import typer

from deploy.batch.image import ImageError, image_tag, is_pushed, push
from deploy.commands.options import Env, console, fail, warn
from deploy.kit.names import Names
from deploy.release.bootstrap import bootstrap as bootstrap_account
from deploy.release.cdk import Cdk
from deploy.release.empty import empty_buckets
from deploy.release.imports import Account, plan
from deploy.settings import Environment
from deploy.stream_job.application import Application
from deploy.target import client, target

app = typer.Typer()


@app.command()
def bootstrap(env: Env = "dev") -> None:
    """Prepare an account and region for CDK.

    Gives CloudFormation a role with least-privilege policies.

    \b
      python -m deploy bootstrap --env dev
    """
    environment, _, account = target(env)
    bootstrap_account(Cdk(environment, account), boto3.client("iam"), account, environment.region)


@app.command()
def diff(env: Env = "dev") -> None:
    """Show what a deployment would change.

    Compares templates; creates no change set.

    \b
      python -m deploy diff --env dev
    """
    environment, _, account = target(env)
    Cdk(environment, account).run("diff", "--all", "--method", "template")


@app.command()
def image(env: Env = "dev") -> None:
    """Build and push the image for uploaded files.

    Needs Docker. An image that is already pushed is not built again.

    \b
      python -m deploy image --env dev
    """
    environment, names, _ = target(env)
    ecr = client("ecr", environment)
    if is_pushed(ecr, names.images):
        console.print(f"Image {image_tag()} is already pushed")
    else:
        console.print(f"Pushed {push(ecr, names.images)}")


@app.command("import-plan")
def import_plan(
    env: Env = "dev",
    out: Annotated[Path, typer.Option(help="Folder for the mappings, one file per stack.")] = Path("build/import"),
) -> None:
    """Write resource mappings for `cdk import`.

    For a stack that was deleted while its buckets, tables, streams, keys, user pool and images remain
    (docs/use/recovery.md). Writes a mapping for each stack with retained resources, and prints the command that imports
    them. Changes nothing in AWS.

    \b
      python -m deploy import-plan --env prod
    """
    environment, _, account = target(env)
    owner = Account(account, environment.region, client("s3", environment), client("cognito-idp", environment))
    cdk = Cdk(environment, account)
    out.mkdir(parents=True, exist_ok=True)
    for stack, template in cdk.templates().items():
        if mapping := plan(template, owner):
            path = out / f"{stack}.json"
            path.write_text(json.dumps(mapping, indent=2) + "\n", encoding="utf-8")
            console.print(f"{path}: {len(mapping)} resources of {stack}", soft_wrap=True)
            console.print(f"  {cdk.line('import', stack, '--resource-mapping', str(path.resolve()))}", soft_wrap=True)


@app.command()
def down(
    env: Env = "dev",
    yes: Annotated[bool, typer.Option(help="Do not ask for confirmation.")] = False,
    force: Annotated[bool, typer.Option(help="Stop the job immediately, in any status, without a snapshot.")] = False,
) -> None:
    """Remove an environment with all its data.

    Refused for an environment that retains its data.

    \b
      python -m deploy down --env dev
    """
    environment, names, account = target(env)
    if environment.retain:
        fail(
            f"{env} retains its data (`retain` in deploy/settings.py) and cannot be removed. To remove it anyway, set "
            "`retain` to false, run `python -m deploy up`, then this command again"
        )
    if not yes:
        typer.confirm(f"Remove {names.prefix} in {account}, {environment.region}, with all its data?", abort=True)
    Application(client("kinesisanalyticsv2", environment), names.application).stop(force)
    cdk = Cdk(environment, account)
    cdk.run("destroy", *(f"{names.prefix}-{stack}" for stack in ("monitoring", "job", "pipeline")), "--force")
    buckets = [names.lake, names.registry, names.uploads, names.backups, names.access_logs]
    empty_buckets(client("s3", environment), buckets)
    cdk.run("destroy", f"{names.prefix}-data", "--force")


def push_image(environment: Environment, names: Names) -> None:
    """Push the image if it is not there; without Docker only warn, so that the deployment continues."""
    ecr = client("ecr", environment)
    try:
        if not is_pushed(ecr, names.images):
            console.print(f"Pushed {push(ecr, names.images)}")
    except ImageError as error:
        warn(str(error))
