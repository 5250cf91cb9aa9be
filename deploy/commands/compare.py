"""`python -m deploy compare`: compare the bills of two lakes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from deploy.commands.options import Env, console, fail
from deploy.target import target
from flink_job.io.remote import downloaded
from flink_job.lake import bill_comparison

app = typer.Typer()
#: Differences that are printed.
SHOWN = 50


@app.command()
def compare(
    env: Env = "dev",
    other: Annotated[str, typer.Option("--with", help="Another lake: s3://bucket[/prefix] or a folder.")] = "",
    replayed_at: Annotated[
        datetime | None,
        typer.Option(help="Start of a job without state (UTC): compare its bills with those from before."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only bills of cycles that start on or after it.")
    ] = None,
) -> None:
    """Compare the bills of two lakes exactly.

    Compares an environment's lake with another lake, or with its own rows from before a replay. Exits with code 1 if
    an amount differs in the last digit or a bill is missing.

    \b
      python -m deploy compare --env prod --with s3://other-lake
    """
    if bool(other) == bool(replayed_at):
        fail("Give either --with LAKE or --replayed-at TIME")
    _, names, _ = target(env)
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
        fail(f"{len(found.differences)} amounts of {found.bills} bills differ")
    console.print(f"{found.bills} bills agree to the last digit")
