"""`python -m deploy up`: deploy or update an environment, and check that it works."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer

from deploy.commands.backup import restore_into
from deploy.commands.checks import activate_cost_tag, run_drill, run_smoke
from deploy.commands.deployment import push_image
from deploy.commands.options import Env, Limit, console, warn
from deploy.commands.registry import export_contracts
from deploy.commands.snapshots import prune_snapshots
from deploy.kit.names import TARIFFS, Names
from deploy.release.bootstrap import bootstrap as bootstrap_account
from deploy.release.cdk import Cdk
from deploy.release.registry import has, upload
from deploy.release.smoke import LIMIT_S
from deploy.settings import Environment, check_operators
from deploy.stream_job.application import Application
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RESTORE, SKIP, release_of
from deploy.stream_job.state import current_state
from deploy.target import client, target
from flink_job.lake import bill_comparison

app = typer.Typer()
SAMPLES = Path("sample_data")


@app.command()
def up(
    env: Env = "dev",
    drop_state: Annotated[
        bool, typer.Option(help="Deploy although the job's state does not fit; it is dropped (docs/use/operate.md).")
    ] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask for approval when permissions are broadened.")] = False,
    tariffs: Annotated[Path, typer.Option(help="Tariffs to upload if the registry is empty.")] = SAMPLES / "tariffs",
    rules: Annotated[Path, typer.Option(help="Alert rules to upload if the registry is empty.")] = SAMPLES
    / "rules.yaml",
    limit_s: Limit = LIMIT_S,
    skip_bootstrap: Annotated[
        bool, typer.Option(help="Skip `bootstrap`, which an administrator has run before.")
    ] = False,
    restore_from: Annotated[
        str, typer.Option("--restore", help="s3://bucket/prefix/backups/ID to restore before the job starts.")
    ] = "",
) -> None:
    """Deploy an environment, start the job, check it.

    Bootstraps the account, deploys all stacks and starts the job. Then checks that an alarm is delivered and that a
    test reading is costed. An update takes a snapshot of the job first. It is refused if the job's state does not fit
    the new version.

    \b
      python -m deploy up --env dev
    """
    environment, names, account = target(env)
    check_operators(environment)
    if not environment.operators:
        warn(f"No alarm recipients: set `operators` for {env} in environments.toml")
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    if not drop_state:
        application.check_state(current_state())
    started = datetime.now(UTC)
    snapshot = application.snapshot(started)
    console.print(f"Took snapshot {snapshot}" if snapshot else "No snapshot: the job is not running")
    restore, approval = SKIP if drop_state else RESTORE, "never" if yes else "broadening"
    cdk = Cdk(environment, account, restore)
    if not skip_bootstrap:
        bootstrap_account(cdk, boto3.client("iam"), account, environment.region)
    # The job reads tariffs and rules when it starts: the registry is filled before.
    cdk.run("deploy", f"{names.prefix}-data", "--require-approval", approval)
    if restore_from:
        restore_into(env, restore_from)
    if not environment.source:
        _fill_registry(client("s3", environment), names, tariffs, rules)
    # Runs of files read the exported contracts; a job without state starts from their snapshot.
    export_contracts(environment, names)
    cdk.run("deploy", "--all", "--require-approval", approval)
    push_image(environment, names)
    application.start(restore)
    _check(environment, names, application, limit_s)
    if drop_state and snapshot:
        warn(bill_comparison.after_replay(env, started, environment.retention_h))


def _fill_registry(s3: Any, names: Names, tariffs: Path, rules: Path) -> None:
    """Upload the sample tariffs and rules if there is no tariff."""
    if not has(s3, names.registry, TARIFFS):
        console.print(f"The registry was empty; uploaded {', '.join(upload(s3, names.registry, tariffs, rules))}")


def _check(environment: Environment, names: Names, application: Application, limit_s: float) -> None:
    """Check release, alarms, alerting and costs; prune snapshots and activate the cost tag on the way."""
    release = release_of(PACKAGE, environment, current_state())
    application.check_release(release)
    prune_snapshots(environment, application)
    activate_cost_tag(environment)
    console.print(run_drill(environment, names).summary())
    run_smoke(environment, names, limit_s)
    # Managed Flink may have rolled back the update in the meantime; the previous version passes the smoke test too.
    application.check_running(release)
