"""Options and output that several commands share."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer
from rich.console import Console

console = Console(highlight=False)

Env = Annotated[str, typer.Option("--env", help="Environment: dev, staging, prod, or one of environments.toml.")]
Limit = Annotated[float, typer.Option(help="Seconds to wait for the cost of the test reading.")]


def warn(message: str) -> None:
    """Print a warning; the command continues."""
    console.print(message, style="yellow", markup=False)


def fail(message: str) -> NoReturn:
    """Print an error and exit with code 1."""
    Console(stderr=True).print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(1)
