"""What commands share: how they fail, how they show progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

errors = Console(stderr=True)
#: Results; wide enough for a table where they go to a file.
output = Console() if sys.stdout.isatty() else Console(width=140)
#: Work that is over sooner shows no bar.
_BAR_AFTER_S = 1.0


def fail(message: str) -> NoReturn:
    """End with code 2 and a message on standard error."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def counted(count: int, thing: str) -> str:
    """A number with its noun: 1 meter, 2,000 meters."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def note(message: str) -> None:
    """Something to know, on standard error; not broken into lines, so that it can be searched."""
    errors.print(message, style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A callable that takes how much is done; the bar appears when the work takes longer than a second."""
    started = time.monotonic()
    bar = Progress(console=errors, transient=True)
    task = bar.add_task(what, total=total)

    def update(done: int) -> None:
        bar.update(task, completed=done)
        if not bar.live.is_started and time.monotonic() - started > _BAR_AFTER_S:
            bar.start()

    try:
        yield update
    finally:
        bar.stop()
