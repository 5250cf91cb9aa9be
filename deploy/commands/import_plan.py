"""`python -m deploy import-plan`: resource mappings for `cdk import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.options import Env, console
from deploy.release.cdk import Cdk
from deploy.release.imports import Account, plan
from deploy.target import client, target

app = typer.Typer()


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
