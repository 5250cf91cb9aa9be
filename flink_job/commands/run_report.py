"""Console output of a bounded run: its progress, and the account of its records at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flink_job.batch.run import Account
from flink_job.schemas import ACCOUNTED, OUTPUTS

console = Console()
errors = Console(stderr=True)
#: Exit code of a run of which no reading has a cost, or too many readings were rejected.
USELESS = 3
_REASONS = 5
_PHASES = {
    "staged": "reading the input",
    "contracts": "reading contracts",
    "running": "costing (JVM and Python start first)",
}
MAX_ROWS = 200


class BatchProgress:
    """The progress of a run: the current phase and its number of records or rows."""

    def __init__(self) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task("starting")

    def __enter__(self) -> BatchProgress:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def __call__(self, phase: str, count: int) -> None:
        if phase in OUTPUTS:
            text = f"writing {phase}: {count:,} rows"
        else:
            text = f"{_PHASES[phase]}: {count:,} records" if count else _PHASES[phase]
        self.progress.update(self.task, description=text)


def print_account(account: Account, output: str) -> None:
    """Print the number of records by outcome."""
    console.print(
        "Every record accounted for" if account.closes else "ERROR: records are missing or counted twice",
        style="bold",
    )
    table = Table()
    table.add_column("", justify="left")
    table.add_column("records", justify="right")
    table.add_row("read", f"{account.read:,}")
    for name in ACCOUNTED:
        table.add_row(f"= {name}" if name == ACCOUNTED[0] else f"+ {name}", f"{account.rows[name]:,}")
    console.print(table)
    console.print(f"{account.rows['kpis']:,} KPI rows, {account.rows['alerts']:,} alert rows. Parquet under {output}/")


def print_fault(fault: str, output: Path) -> None:
    """Print the fault of a run, with the reasons of rejected and unpriced readings and the first of each."""
    errors.print(fault, style="red", markup=False, highlight=False, soft_wrap=True)
    for name in ("rejected", "unpriced"):
        files = sorted((output / name).glob("*.parquet"))
        columns = ["reason", "detail"] if name == "rejected" else ["reason"]
        rows = [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]
        for reason, count in Counter(row["reason"] for row in rows).most_common(_REASONS):
            first = next(row.get("detail") for row in rows if row["reason"] == reason)
            errors.print(
                f"  {count:,} {name}: {reason}{f'; the first: {first}' if first else ''}",
                style="red",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def doubts_of_run(lake: Path) -> list[str]:
    """Return what is hardly meant in the readings of a run, by its costs."""
    from flink_job.imports.plausible import by_meter, doubts

    files = [str(file) for file in sorted(lake.glob("costs/**/*.parquet"))]
    if not files:
        return []
    with duckdb.connect() as connection:
        # Corrections of a reading are differences: together they are its value.
        rows = connection.execute(
            "SELECT meter_id, epoch_ms(interval_start), CAST(MAX(interval_s) AS BIGINT) * 1000, "
            "CAST(SUM(energy_kwh) * 1000000 AS BIGINT) FROM read_parquet(?, union_by_name = TRUE) "
            "WHERE quality NOT IN ('estimated', 'implausible') OR quality IS NULL GROUP BY meter_id, interval_start",
            [files],
        )
        return list(doubts(by_meter(iter(rows.fetchone, None))))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print the result of a query, truncated to MAX_ROWS rows."""
    table = Table(*columns)
    for row in rows[:MAX_ROWS]:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)
    if len(rows) > MAX_ROWS:
        console.print(f"... and {len(rows) - MAX_ROWS:,} more rows")
