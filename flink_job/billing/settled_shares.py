"""Rows of table `shares`: the parts of meters in the settled bills of their supply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flink_job.batch.collect import arrow_schema
from flink_job.billing.adjustments import Key
from flink_job.billing.share_rows import share_rows
from flink_job.metering.contract import Contract
from flink_job.schemas import SHARES
from flink_job.supplies.rated import RatedSupply
from flink_job.tenants import plain, tenant_of

_NAMES = [column.name for column in SHARES.columns]


def shared(rated: RatedSupply, contracts: Mapping[str, Contract], ends: Mapping[Key, date]) -> Iterator[pa.Table]:
    """Yield the shares of the bills of a supply, one in memory at a time. `ends`: ends of the cycles of these bills."""
    for bill in rated.bills():
        of = bill.charges.bill
        end = ends.get((of.cycle_start.isoformat(), of.tariff_id, of.version))
        if end is None:
            continue
        names = tenant_of(rated.supply.supply_point), plain(of.tariff_id), of.version, end.isoformat()
        for rows in share_rows(rated, bill, contracts, by_day=False):
            yield _table(rows, dict(zip(("tenant", "tariff_id", "tariff_version", "cycle_end"), names, strict=True)))


def _table(rows: pa.Table, texts: Mapping[str, str]) -> pa.Table:
    """Return rows of the table, with columns that have one value each."""
    starts = rows["interval_start"].cast(pa.timestamp("ms"))
    columns = {
        **{name: rows[name] for name in rows.column_names},
        **{name: pa.array([value]).take(pa.array([0] * len(rows))) for name, value in texts.items()},
        **{name: pc.cast(rows[name], pa.string()) for name in ("supply_point", "meter_id", "site_path", "currency")},
        **{name: _iso(rows[name]) for name in ("local_date", "cycle_start")},
        "interval_start": starts,
        "event_date": _iso(pc.cast(starts, pa.date32(), safe=False)),
        "is_open": rows["provisional"],
    }
    return pa.table({name: columns[name] for name in _NAMES}).cast(arrow_schema(SHARES))


def _iso(dates: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dates as YYYY-MM-DD; each of the few different ones is formatted once."""
    coded = dates.dictionary_encode()
    chunks = [pc.strftime(chunk.dictionary, "%Y-%m-%d").take(chunk.indices) for chunk in coded.chunks]
    return pa.chunked_array(chunks, pa.string())


class ShareFile:
    """A file of shares, to which rows are added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = pq.ParquetWriter(path, arrow_schema(SHARES), compression="zstd")

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self._writer.write_table(rows)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def write_shares(settled: Path, folder: Path, kept: pa.Table | None) -> None:
    """Write `folder`/shares.parquet: the rows of `kept` and those of the file `settled`.

    The file of before remains until the new one is complete.
    """
    target = folder / "shares.parquet"
    partial = target.with_suffix(".partial")
    file = ShareFile(partial)
    if kept is not None:
        file.write(kept.cast(arrow_schema(SHARES)))
    for batch in pq.ParquetFile(settled).iter_batches():
        file.write(pa.Table.from_batches([batch]))
    file.close()
    partial.rename(target)
