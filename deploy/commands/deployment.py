"""Commands on the stacks of an environment: bootstrap, diff, image, down."""

from __future__ import annotations

from typing import Annotated

import boto3
import typer

from deploy.batch.image import ImageError, image_tag, is_pushed, push
from deploy.commands.options import Env, console, fail, warn
from deploy.kit.names import Names
from deploy.release.bootstrap import bootstrap as bootstrap_account
from deploy.release.cdk import Cdk
from deploy.release.empty import empty_buckets
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
