"""`python -m deploy snapshots` and `python -m deploy import-plan`."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import ClientError
from rich.console import Console

from deploy.release.application import Application
from deploy.release.cdk import Cdk
from deploy.release.imports import Account, plan
from deploy.release.snapshots import prune as pruned
from deploy.release.snapshots import snapshots as found_of
from deploy.settings import Environment
from deploy.target import client, target

Env = Annotated[str, typer.Option("--env", help="Environment of deploy/settings.py: dev, staging, prod.")]
app = typer.Typer()
console = Console(highlight=False)


@app.command()
def snapshots(
    env: Env = "dev",
    prune: Annotated[bool, typer.Option("--prune", help="Delete those that `keep_snapshots` does not keep.")] = False,
) -> None:
    """List snapshots of the application, or prune them.

    The newest are listed first. The newest `keep_snapshots` (a setting) of the deployments are kept, as many of the
    backups, and the one that the running version started from. `up` deletes the others, too.

    \b
      python -m deploy snapshots --env prod
      python -m deploy snapshots --env prod --prune
    """
    environment, names, _ = target(env)
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    if prune:
        prune_snapshots(environment, application)
    found = found_of(application) if application.detail() else []
    for one in found:
        taken = one["SnapshotCreationTimestamp"].astimezone(UTC)
        line = f"{taken:%Y-%m-%d %H:%M:%S} {one['SnapshotStatus']:8} version {one['ApplicationVersionId']}"
        console.print(f"{line} {one['SnapshotName']}")


@app.command("import-plan")
def import_plan(
    env: Env = "dev",
    out: Annotated[Path, typer.Option(help="Folder of the mappings, a file for each stack.")] = Path("build/import"),
) -> None:
    """Write what `cdk import` needs for a lost stack.

    Writes the identifiers of every retained resource, by logical id, for `cdk import`: for a stack that was deleted
    while its buckets, tables, streams, keys, user pool and images remain (docs/use/recovery.md). Changes nothing in
    AWS.

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


def prune_snapshots(environment: Environment, application: Application) -> None:
    """A deployment that has succeeded is not reported as failed because an old snapshot could not be deleted."""
    try:
        deleted = pruned(application, environment.keep_snapshots)
    except ClientError as error:
        console.print(f"snapshots were not pruned: {error}", style="yellow", markup=False)
        return
    console.print(f"deleted {len(deleted)} snapshots; kept are the newest {environment.keep_snapshots} and what runs")
