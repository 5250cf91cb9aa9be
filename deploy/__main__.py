"""`python -m deploy`: deploy into an AWS account, operate the deployment, remove it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.commands import backup, checks, compare, deployment, import_plan, registry, snapshots, up
from deploy.errors import DeployError
from flink_job.lake.database import LakeError

app = typer.Typer(
    help="Deploy into an AWS account. Settings: deploy/settings.py and environments.toml (docs/use/deploy.md).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (up, deployment, checks, compare, registry, backup, snapshots, import_plan):
    app.add_typer(module.app)
#: Errors whose message is printed without a traceback.
FAILURES = (DeployError, LakeError)


def main(arguments: Sequence[str] | None = None, name: str = "python -m deploy") -> int:
    """Run a command line (that of the process if None), called `name` in help texts; returns the exit code."""
    try:
        return int(app(args=arguments, prog_name=name, standalone_mode=False) or 0)
    except typer.Abort:
        return 1
    except FAILURES as error:
        message = str(error)
    except (ClientError, BotoCoreError) as error:
        message = f"AWS: {error}. Check your credentials with `aws sts get-caller-identity`"
    Console(stderr=True).print(message, style="red", markup=False, highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
