"""`python -m deploy`: a version of everything into an AWS account, and out of it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.alerting.recipient_policy import RecipientPolicy
from deploy.backup.commands import app as backup_commands
from deploy.backup.commands import restore_into
from deploy.backup.store import BackupError
from deploy.batch.image import ImageError, is_pushed, push
from deploy.contracts.publish import ContractFileError, publish_contracts
from deploy.contracts.runtime.exporter import Keys, Store, export
from deploy.kit.names import CONTRACTS, SNAPSHOT, TARIFFS, Names
from deploy.release import drill as drills
from deploy.release import smoke as smoke_check
from deploy.release import smoke_alert
from deploy.release.application import Application, ApplicationError
from deploy.release.bootstrap import bootstrap as bootstrap_account
from deploy.release.cdk import Cdk, CdkError
from deploy.release.commands import app as release_commands
from deploy.release.commands import prune_snapshots
from deploy.release.costs import activate_tag
from deploy.release.empty import empty_buckets
from deploy.release.imports import ImportPlanError
from deploy.release.registry import RegistryError, has, upload
from deploy.settings import Environment, SettingsError, check_operators
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RESTORE, SKIP, release_of
from deploy.stream_job.state import current_state
from deploy.target import client as _client
from deploy.target import target as _target
from flink_job.io.remote import downloaded
from flink_job.lake import bill_comparison
from flink_job.lake.database import LakeError

app = typer.Typer(
    help="Deploy into an AWS account. Settings: deploy/settings.py and environments.toml (docs/use/deploy.md).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(backup_commands)
app.add_typer(release_commands)
console = Console(highlight=False)
#: What the commands fail with; each message says what to do.
FAILURES = (
    *(ApplicationError, BackupError, RegistryError, CdkError, ContractFileError, ImageError, ImportPlanError),
    *(LakeError, SettingsError),
    *(drills.DrillError, smoke_check.SmokeError, smoke_alert.SmokeAlertError),
)
SAMPLES = Path("sample_data")
#: Differences that `compare` prints.
SHOWN = 50
Env = Annotated[str, typer.Option("--env", help="Environment of deploy/settings.py: dev, staging, prod.")]
Limit = Annotated[float, typer.Option(help="Seconds to wait for the cost of the check's reading.")]


@app.command()
def up(
    env: Env = "dev",
    drop_state: Annotated[
        bool, typer.Option(help="Go on where the job's state would be lost (docs/use/operate.md).")
    ] = False,
    yes: Annotated[bool, typer.Option(help="Do not ask before permissions widen.")] = False,
    tariffs: Annotated[Path, typer.Option(help="Tariffs for registry that are empty yet.")] = SAMPLES / "tariffs",
    rules: Annotated[Path, typer.Option(help="Alert rules for registry that are empty yet.")] = SAMPLES / "rules.yaml",
    limit_s: Limit = smoke_check.LIMIT_S,
    skip_bootstrap: Annotated[
        bool, typer.Option(help="Where `bootstrap` was run before, by somebody who may change policies.")
    ] = False,
    restore_from: Annotated[
        str, typer.Option("--restore", help="s3://bucket/prefix/backups/ID to restore before the job is started.")
    ] = "",
) -> None:
    """Deploy everything, start the job, check it.

    Bootstraps the account, deploys all stacks, starts the job, and checks that an alarm arrives and that a reading
    comes out as a cost. An update takes a snapshot first, and is refused where the job's state would not fit the new
    version.

    \b
      python -m deploy up --env dev
    """
    environment, names, account = _target(env)
    check_operators(environment)
    if not environment.operators:
        console.print(f"nobody is notified of alarms: {env} has no operators (environments.toml)", style="yellow")
    application = Application(_client("kinesisanalyticsv2", environment), names.application)
    if not drop_state:
        application.check_state(current_state())
    started = datetime.now(UTC)
    snapshot = application.snapshot(started)
    console.print(f"snapshot {snapshot}" if snapshot else "no job runs yet: no snapshot")
    approval = "never" if yes else "broadening"
    restore = SKIP if drop_state else RESTORE
    cdk = Cdk(environment, account, restore)
    if not skip_bootstrap:
        bootstrap_account(cdk, boto3.client("iam"), account, environment.region)
    # The registry are there before the job that reads them.
    cdk.run("deploy", f"{names.prefix}-data", "--require-approval", approval)
    if restore_from:
        restore_into(env, restore_from)
    s3 = _client("s3", environment)
    if not has(s3, names.registry, TARIFFS):
        console.print(f"the registry were empty: {', '.join(upload(s3, names.registry, tariffs, rules))}")
    # Bounded runs read the exported contracts; a job that starts without state starts with their snapshot.
    _export_contracts(environment, names)
    cdk.run("deploy", "--all", "--require-approval", approval)
    _push_image(environment, names)
    application.start(restore)
    release = release_of(PACKAGE, environment, current_state())
    application.check_release(release)
    prune_snapshots(environment, application)
    _activate_tag(environment)
    console.print(_drill(environment, names).summary())
    _smoke(environment, names, limit_s)
    # The service may have rolled the update back meanwhile: the version before passes the smoke check, too.
    application.check_running(release)
    if drop_state and snapshot:
        console.print(bill_comparison.after_replay(env, started, environment.retention_h), style="yellow", markup=False)


@app.command()
def bootstrap(env: Env = "dev") -> None:
    """Prepare an account and region for CDK.

    CloudFormation gets policies of least privilege.

    \b
      python -m deploy bootstrap --env dev
    """
    environment, _, account = _target(env)
    bootstrap_account(Cdk(environment, account), boto3.client("iam"), account, environment.region)


@app.command()
def diff(env: Env = "dev") -> None:
    """Show what a deployment would change.

    From the templates alone: nothing is created for it.

    \b
      python -m deploy diff --env dev
    """
    environment, _, account = _target(env)
    Cdk(environment, account).run("diff", "--all", "--method", "template")


@app.command()
def smoke(env: Env = "dev", limit_s: Limit = smoke_check.LIMIT_S) -> None:
    """Check that an alert and a cost come out.

    Sends an alert and waits for its message, then one reading and waits for its cost in Athena.

    \b
      python -m deploy smoke --env dev
    """
    environment, names, _ = _target(env)
    _smoke(environment, names, limit_s)


@app.command()
def drill(env: Env = "dev") -> None:
    """Set an alarm off and see that it arrives.

    Fails if nobody has confirmed a subscription to the operators' topic.

    \b
      python -m deploy drill --env prod
    """
    environment, names, _ = _target(env)
    heard = _drill(environment, names)
    heard.check()
    console.print(heard.summary())


@app.command("cost-tag")
def cost_tag(env: Env = "dev") -> None:
    """Activate the cost allocation tag of the budget.

    Billing knows the tag a day after the first deployment.

    \b
      python -m deploy cost-tag --env prod
    """
    environment, _, _ = _target(env)
    if _activate_tag(environment):
        raise typer.Exit(1)


@app.command()
def status(env: Env = "dev") -> None:
    """Show the application and whether its state fits.

    \b
      python -m deploy status --env prod
    """
    environment, names, _ = _target(env)
    application = Application(_client("kinesisanalyticsv2", environment), names.application)
    console.print(f"{names.application}: {application.status()}, state {application.deployed_state() or '-'}")
    console.print(f"this version keeps state {current_state()}")


@app.command()
def compare(
    env: Env = "dev",
    other: Annotated[str, typer.Option("--with", help="Another lake: s3://bucket[/prefix] or a folder.")] = "",
    replayed_at: Annotated[
        datetime | None, typer.Option(help="When a job started without state (UTC): compare with what was before.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only bills of cycles that begin then or later.")
    ] = None,
) -> None:
    """Compare the bills of two lakes exactly.

    Those of an environment with those of another lake, or with its own before a replay. Ends with 1 where an amount
    differs in the last digit, or a bill is missing.

    \b
      python -m deploy compare --env prod --with s3://other-lake
    """
    if bool(other) == bool(replayed_at):
        _fail("say either --with LAKE or --replayed-at TIME")
    _, names, _ = _target(env)
    first = None if since is None else since.date()
    selection = bill_comparison.selected(first)
    with downloaded(f"s3://{names.lake}", selection) as ours:
        if replayed_at:
            found = bill_comparison.compare_replay(ours, replayed_at, first)
        else:
            with downloaded(other, selection) as theirs:
                found = bill_comparison.compare(ours, theirs, first)
    for difference in found.differences[:SHOWN]:
        console.print(str(difference), markup=False)
    if found.differences:
        _fail(f"{len(found.differences)} amounts of {found.bills} bills differ")
    console.print(f"{found.bills} bills agree to the last digit")


@app.command()
def registry(
    env: Env = "dev",
    tariffs: Annotated[Path | None, typer.Option(help="Folder of tariff documents.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Alert rules.")] = None,
    routes: Annotated[Path | None, typer.Option(help="Who is told what (docs/use/alerts.md).")] = None,
) -> None:
    """Check and upload tariffs, rules and routes.

    The job reads them again within its refresh interval.

    \b
      python -m deploy registry --env dev --tariffs my-tariffs --rules my-rules.yaml
    """
    environment, names, account = _target(env)
    reach = RecipientPolicy.of(environment, names, account)
    for key in upload(_client("s3", environment), names.registry, tariffs, rules, routes, reach):
        console.print(f"s3://{names.registry}/{key}")


@app.command()
def contracts(
    action: Annotated[str, typer.Argument(help="`publish` a file into the stream, or `export` the store.")],
    env: Env = "dev",
    file: Annotated[Path | None, typer.Option(help="NDJSON of contracts to publish.")] = None,
) -> None:
    """Publish contracts, or export their store.

    Bounded runs read the exported contracts, and a job that starts without state starts with their snapshot.

    \b
      python -m deploy contracts publish --env dev --file contracts.ndjson
      python -m deploy contracts export --env dev
    """
    environment, names, _ = _target(env)
    if action == "publish" and file:
        console.print(f"published {publish_contracts(file, names.contracts)} contracts to {names.contracts}")
    elif action == "export":
        _export_contracts(environment, names)
    else:
        _fail("say `contracts publish --file FILE` or `contracts export`")


@app.command()
def image(env: Env = "dev") -> None:
    """Build and push the image for uploaded files.

    Needs Docker; an image that has been pushed already is not built again.

    \b
      python -m deploy image --env dev
    """
    environment, names, _ = _target(env)
    ecr = _client("ecr", environment)
    console.print("it is there" if is_pushed(ecr, names.images) else push(ecr, names.images))


@app.command()
def down(
    env: Env = "dev",
    yes: Annotated[bool, typer.Option(help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option(help="Stop the job at once, without a snapshot, whatever it is doing.")
    ] = False,
) -> None:
    """Remove an environment with all its data.

    Refused if the environment is set to retain its data.

    \b
      python -m deploy down --env dev
    """
    environment, names, account = _target(env)
    if environment.retain:
        _fail(
            f"{env} keeps its data (retain in deploy/settings.py) and is protected against this. To remove it all the "
            "same, set retain to False, deploy, then destroy"
        )
    if not yes:
        typer.confirm(f"Remove {names.prefix} in {account}, {environment.region}, with all its data?", abort=True)
    Application(_client("kinesisanalyticsv2", environment), names.application).stop(force)
    cdk = Cdk(environment, account)
    cdk.run("destroy", *(f"{names.prefix}-{stack}" for stack in ("monitoring", "job", "pipeline")), "--force")
    empty_buckets(
        _client("s3", environment), [names.lake, names.registry, names.uploads, names.backups, names.access_logs]
    )
    cdk.run("destroy", f"{names.prefix}-data", "--force")


def _export_contracts(environment: Environment, names: Names) -> None:
    store = Store(_client("dynamodb", environment), names.contract_store)
    count = export(store, _client("s3", environment), names.registry, Keys(CONTRACTS, SNAPSHOT))
    console.print(f"exported {count} contracts to s3://{names.registry}/{SNAPSHOT}")


def _push_image(environment: Environment, names: Names) -> None:
    """Without Docker everything else is deployed all the same."""
    ecr = _client("ecr", environment)
    try:
        if not is_pushed(ecr, names.images):
            console.print(push(ecr, names.images))
    except ImageError as error:
        console.print(str(error), style="yellow", markup=False)


def _activate_tag(environment: Environment) -> str:
    """Why it could not be; nothing else is kept from being deployed by it."""
    problem = activate_tag(_client("ce", environment))
    if problem:
        console.print(problem, style="yellow", markup=False)
    else:
        console.print("the budget counts what carries the tag of this deployment")
    return problem


def _drill(environment: Environment, names: Names) -> drills.Heard:
    clients = drills.Clients(*(_client(name, environment) for name in ("cloudwatch", "sns", "sqs")))
    with console.status("an alarm is set off; it is waited for at the operators' topic"):
        return drills.drill(clients, names, datetime.now(UTC))


def _smoke(environment: Environment, names: Names, limit_s: float) -> None:
    alerting = smoke_alert.Clients(*(_client(name, environment) for name in ("kinesis", "sqs")))
    with console.status("an alert goes in; its message comes out of a queue"):
        took_s = smoke_alert.check(alerting, names, datetime.now(UTC))
    console.print(f"alerting works: an alert and its end were delivered within {took_s:.1f} s")
    clients = smoke_check.Clients(*(_client(name, environment) for name in ("kinesis", "s3", "athena")))
    with console.status("a reading goes in; its cost comes out of Firehose within minutes"):
        found = smoke_check.check(clients, names, datetime.now(UTC), limit_s)
    console.print("the job works: " + ", ".join(f"{name} {value}" for name, value in found.items()))


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None, name: str = "python -m deploy") -> int:
    """Run a command line (that of the process if None), called `name` in help texts; returns the exit code."""
    try:
        return int(app(args=arguments, prog_name=name, standalone_mode=False) or 0)
    except typer.Abort:
        return 1
    except FAILURES as error:
        message = str(error)
    except (ClientError, BotoCoreError) as error:
        message = f"AWS: {error}. Are credentials set? `aws sts get-caller-identity` shows who you are"
    Console(stderr=True).print(message, style="red", markup=False, highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
