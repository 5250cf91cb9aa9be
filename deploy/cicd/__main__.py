"""`python -m deploy.cicd`: template of the roles for workflows; an administrator deploys it once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.settings import SettingsError, environment_named

OUT = Path(__file__).resolve().parents[2] / "build" / "cicd"
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    env: Annotated[str, typer.Option(help="Environment of the roles.")],
    repository: Annotated[str, typer.Option(help="owner/name on GitHub, or owner@id/name@id (docs/use/cicd.md).")],
    existing_provider: Annotated[
        bool, typer.Option(help="Use the GitHub identity provider that the account already has.")
    ] = False,
) -> None:
    """Write the CloudFormation template of an environment's roles, and print the command that deploys it."""
    from deploy.app import FindingsError
    from deploy.cicd.infrastructure import RepositoryError
    from deploy.cicd.template import write

    try:
        template = write(environment_named(env), repository, not existing_provider, OUT / env)
    except (RepositoryError, SettingsError, FindingsError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    environment = environment_named(env)
    print(template)
    print(
        f"aws cloudformation deploy --region {environment.region} --stack-name {environment.prefix}-cicd "
        f"--template-file {template} --capabilities CAPABILITY_NAMED_IAM"
    )


if __name__ == "__main__":
    app()
