"""Options `--from` and `--to`: the event dates of the lake that a command reads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

_DAY = ["%Y-%m-%d"]
From = Annotated[
    datetime | None, typer.Option("--from", formats=_DAY, help="First event date (UTC) to read; earlier days are not.")
]
To = Annotated[
    datetime | None, typer.Option("--to", formats=_DAY, help="Last event date (UTC) to read; later days are not.")
]


def day_of(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
