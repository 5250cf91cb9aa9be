"""`python -m tests.state keep`: store a savepoint of this version, which later versions must be able to restore.

Run it when a version is released, and when state is changed on purpose (CHANGELOG.md then says **State**).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import tomllib
from itertools import islice
from pathlib import Path

import typer

from deploy.local.demo import records_of
from deploy.stream_job.state import current_state
from flink_job.dataflow.environment import PROJECT
from tests.harness.jobs import SAMPLES
from tests.state.halves import HALF, KEPT, first_half, pack

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def commands() -> None:
    """The savepoint that the tests resume from."""


@app.command()
def keep() -> None:
    """Run the first half of the sample with this version, and store its savepoint and its results."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    records = list(islice(records_of(SAMPLES / "readings.ndjson.gz"), HALF))
    with tempfile.TemporaryDirectory() as folder:
        half, savepoint = first_half(Path(folder), records)
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir()
        pack(savepoint, KEPT / "savepoint.tar.xz")
    half.write(KEPT / "half.json", version=version, state=current_state())
    size_kb = (KEPT / "savepoint.tar.xz").stat().st_size / 1000
    print(f"{sum(half.accounted.values())} records, {len(half.bills)} bills, savepoint of {size_kb:.0f} kB")


if __name__ == "__main__":
    sys.exit(app())
