"""The options `--from` and `--to`: the event dates that a command reads from the lake."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

_DAY = ["%Y-%m-%d"]
From = Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First event date (UTC) to read.")]
To = Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last event date (UTC) to read.")]


def day_of(moment: datetime | None) -> date | None:
    """Return the date of an option, or None."""
    return None if moment is None else moment.date()
