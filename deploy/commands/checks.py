"""Commands that check a deployment: status, smoke, drill, cost-tag."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from deploy.commands.options import Env, Limit, console, warn
from deploy.kit.names import Names
from deploy.release import drill as drills
from deploy.release import smoke as smoke_test
from deploy.release import smoke_alert
from deploy.release.costs import activate_tag
from deploy.settings import Environment
from deploy.stream_job.application import Application
from deploy.stream_job.state import current_state
from deploy.target import client, target

app = typer.Typer()


@app.command()
def status(env: Env = "dev") -> None:
    """Show the job's status and whether state fits.

    \b
      python -m deploy status --env prod
    """
    environment, names, _ = target(env)
    application = Application(client("kinesisanalyticsv2", environment), names.application)
    console.print(f"{names.application}: {application.status()}, state {application.deployed_state() or '-'}")
    console.print(f"This version has state {current_state()}")


@app.command()
def smoke(env: Env = "dev", limit_s: Limit = smoke_test.LIMIT_S) -> None:
    """Check that an alert and a cost come out.

    Sends a test alert and waits for its notification, then a test reading and waits for its cost in Athena.

    \b
      python -m deploy smoke --env dev
    """
    environment, names, _ = target(env)
    run_smoke(environment, names, limit_s)


@app.command()
def drill(env: Env = "dev") -> None:
    """Raise a test alarm and check its delivery.

    Fails if no subscription to the operators' topic is confirmed.

    \b
      python -m deploy drill --env prod
    """
    environment, names, _ = target(env)
    subscribers = run_drill(environment, names)
    subscribers.check()
    console.print(subscribers.summary())


@app.command("cost-tag")
def cost_tag(env: Env = "dev") -> None:
    """Activate the cost allocation tag of the budget.

    AWS Billing lists a new tag within 24 hours after the first deployment.

    \b
      python -m deploy cost-tag --env prod
    """
    environment, _, _ = target(env)
    if activate_cost_tag(environment):
        raise typer.Exit(1)


def activate_cost_tag(environment: Environment) -> str:
    """Activate the tag; print and return the problem, if any. A deployment does not fail because of it."""
    problem = activate_tag(client("ce", environment))
    if problem:
        warn(problem)
    else:
        console.print("The cost allocation tag is active: the budget counts this deployment's costs")
    return problem


def run_drill(environment: Environment, names: Names) -> drills.Subscribers:
    """Raise the test alarm and wait for its message. Raises DrillError."""
    clients = drills.Clients(*(client(name, environment) for name in ("cloudwatch", "sns", "sqs")))
    with console.status("Waiting for the test alarm at the operators' topic"):
        return drills.drill(clients, names, datetime.now(UTC))


def run_smoke(environment: Environment, names: Names, limit_s: float) -> None:
    """Check alerting, then the job. Raises SmokeAlertError and SmokeError."""
    alerting = smoke_alert.Clients(*(client(name, environment) for name in ("kinesis", "sqs")))
    with console.status("Waiting for the notification of a test alert"):
        took_s = smoke_alert.check(alerting, names, datetime.now(UTC))
    console.print(f"Alerting works: a test alert was raised and cleared, both delivered within {took_s:.1f} s")
    clients = smoke_test.Clients(*(client(name, environment) for name in ("kinesis", "s3", "athena")))
    with console.status("Waiting for the cost of a test reading in Athena; this takes minutes"):
        source = names.of(environment.source_prefix)
        found = smoke_test.check(clients, names, datetime.now(UTC), limit_s, source=source)
    console.print("The job works: " + ", ".join(f"{name} {value}" for name, value in found.items()))
