"""Console output shared by the commands: results, errors and progress."""

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
#: Console for results; 140 columns wide if redirected to a file.
output = Console() if sys.stdout.isatty() else Console(width=140)
#: Shorter work shows no progress bar.
_BAR_AFTER_S = 1.0


def fail(message: str) -> NoReturn:
    """Print a message to standard error and exit with code 2."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def counted(count: int, thing: str) -> str:
    """Return a number with its noun: 1 meter, 2,000 meters."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def note(message: str) -> None:
    """Print a warning to standard error, without line breaks so that it can be searched."""
    errors.print(message, style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a callable for the amount of work done; the bar appears if the work takes longer than a second."""
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
