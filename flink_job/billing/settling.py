"""Settlement of a lake from its tables to its tables: `adjustments`, `shares` and `settlements`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.billing.adjustments import kept_rows, write_adjustments
from flink_job.billing.agreements import Book
from flink_job.billing.rerate import Rerated, Wanted, is_covered, rerate, selected
from flink_job.billing.settled_shares import ShareFile, write_shares
from flink_job.billing.settlements import FILE, settled_rows
from flink_job.io.remote import uploaded
from flink_job.lake.selection import Selection
from flink_job.schemas import BATCH_TABLES

#: Tables that settlement writes, and those that it reads.
WRITTEN = tuple(BATCH_TABLES)
READ = frozenset(selected().tables or ())


@dataclass(frozen=True)
class Settling:
    """A settlement of the selected part of a lake in `folder`. `work`: a folder for files that are not complete."""

    folder: Path
    selection: Selection
    work: Path

    def rate(
        self,
        book: Book,
        meter: str = "",
        progress: Callable[[int], None] = lambda done: None,
        changed_only: bool = False,
        wanted: Wanted | None = None,
    ) -> Rerated:
        """Rate the lake (see flink_job.billing.rerate), with the shares in a file. Raises LakeError."""
        shares = ShareFile(self.work / "settled.parquet")
        try:
            return rerate(self.folder, book, meter, self.selection, progress, shares.write, changed_only, wanted)
        finally:
            shares.close()

    def write(
        self, lake: str, result: Rerated, now: datetime, changed_only: bool = False, wanted: Wanted | None = None
    ) -> None:
        """Write the tables of the lake at a folder, or s3://bucket; `now`, when it began to be read, is UTC-aware."""
        base = lake.rstrip("/")
        with uploaded(f"{base}/adjustments") as target:
            write_adjustments(result.rows, target, self._kept("adjustments", result, changed_only, wanted))
        with uploaded(f"{base}/shares") as target:
            write_shares(self.work / "settled.parquet", target, self._kept("shares", result, changed_only, wanted))
        with uploaded(f"{base}/settlements") as target:
            rows = settled_rows(self.folder / "settlements", result, now)
            pq.write_table(rows, target / FILE)

    def _kept(self, table: str, result: Rerated, changed_only: bool, wanted: Wanted | None) -> pa.Table | None:
        """Return the rows of a table that this settlement does not replace."""

        def is_replaced(start: date, end: date) -> bool:
            return is_covered(start, end, self.selection)

        def is_settled(names: Collection[str], start: date, end: date) -> bool:
            if wanted is not None:
                return any(wanted.has(name, start, end) for name in names)
            return not changed_only or not result.issued.keys().isdisjoint(names)

        return kept_rows(self.folder / table / f"{table}.parquet", is_replaced, result.problems, is_settled)
