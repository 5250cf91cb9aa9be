"""`python -m deploy snapshots`: list or prune snapshots of the application."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from deploy.commands.options import Env, console, warn
from deploy.settings import Environment
from deploy.stream_job.application import Application
from deploy.stream_job.snapshots import list_snapshots
from deploy.stream_job.snapshots import prune as prune_application
from deploy.target import client, target

app = typer.Typer()


@app.command()
def snapshots(
    env: Env = "dev",
    prune: Annotated[bool, typer.Option("--prune", help="Delete snapshots beyond `keep_snapshots`.")] = False,
) -> None:
    """List snapshots of the application, or prune them.

    Lists the newest first. `--prune` retains the newest `keep_snapshots` (a setting) of deployments, as many of
    backups, and the snapshot that the running version started from. `up` prunes as well.

    \b
      python -m deploy snapshots --env prod
      python -m deploy snapshots --env prod --prune
    """
    environment, names, _ = target(env)
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    if prune:
        prune_snapshots(environment, application)
    found = list_snapshots(application) if application.detail() else []
    for snapshot in found:
        created = snapshot["SnapshotCreationTimestamp"].astimezone(UTC)
        line = f"{created:%Y-%m-%d %H:%M:%S} {snapshot['SnapshotStatus']:8} version {snapshot['ApplicationVersionId']}"
        console.print(f"{line} {snapshot['SnapshotName']}")


def prune_snapshots(environment: Environment, application: Application) -> None:
    """Delete surplus snapshots. A failure is only a warning: it does not fail a deployment that has succeeded."""
    try:
        deleted = prune_application(application, environment.keep_snapshots)
    except ClientError as error:
        warn(f"Snapshots were not pruned: {error}")
        return
    console.print(
        f"Deleted {len(deleted)} snapshots; retained the newest {environment.keep_snapshots} and those in use"
    )
