"""Commands on documents of a deployment: registry and contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.alerting.recipient_policy import RecipientPolicy
from deploy.commands.options import Env, console, fail
from deploy.contracts.publish import publish_contracts
from deploy.contracts.runtime.exporter import Keys, Store, export
from deploy.kit.names import CONTRACTS, SNAPSHOT, Names
from deploy.release.registry import upload
from deploy.settings import Environment
from deploy.target import client, target

app = typer.Typer()


@app.command()
def registry(
    env: Env = "dev",
    tariffs: Annotated[Path | None, typer.Option(help="Folder of tariff documents.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Alert rules.")] = None,
    routes: Annotated[Path | None, typer.Option(help="Recipients of notifications, and routes to them.")] = None,
) -> None:
    """Check and upload tariffs, rules and routes.

    The running job reads them within its refresh interval.

    \b
      python -m deploy registry --env dev --tariffs my-tariffs --rules my-rules.yaml
    """
    environment, names, account = target(env)
    policy = RecipientPolicy.of(environment, names, account)
    for key in upload(client("s3", environment), names.registry, tariffs, rules, routes, policy):
        console.print(f"s3://{names.registry}/{key}")


@app.command()
def contracts(
    action: Annotated[str, typer.Argument(help="`publish` a file to the stream, or `export` the contract store.")],
    env: Env = "dev",
    file: Annotated[Path | None, typer.Option(help="NDJSON file of the contracts to publish.")] = None,
) -> None:
    """Publish contracts, or export their store.

    Runs of files read the exported contracts. A job without state starts from their snapshot.

    \b
      python -m deploy contracts publish --env dev --file contracts.ndjson
      python -m deploy contracts export --env dev
    """
    environment, names, _ = target(env)
    if action == "publish" and file:
        console.print(f"Published {publish_contracts(file, names.contracts)} contracts to {names.contracts}")
    elif action == "export":
        export_contracts(environment, names)
    else:
        fail("Use `contracts publish --file FILE` or `contracts export`")


def export_contracts(environment: Environment, names: Names) -> None:
    """Export the contract store to the registry, as the exporter does every hour."""
    store = Store(client("dynamodb", environment), names.contract_store)
    count = export(store, client("s3", environment), names.registry, Keys(CONTRACTS, SNAPSHOT))
    console.print(f"Exported {count} contracts to s3://{names.registry}/{SNAPSHOT}")
