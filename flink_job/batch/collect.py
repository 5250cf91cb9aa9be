"""Converts the JSON files of a bounded run to Parquet with the columns of flink_job.schemas."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from flink_job.columns import Column, Table
from flink_job.schemas import OUTPUTS

_ARROW = {
    "STRING": pa.string(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "BYTES": pa.string(),
    "DECIMAL(18, 6)": pa.decimal128(18, 6),
    "TIMESTAMP(3)": pa.timestamp("ms"),
}

#: Folder for the files of a run before they replace those of an earlier one; queries ignore it.
ASIDE = ".partial"
#: Size of a block in which Arrow parses a file: a row, at most a Firehose record long, must fit into it.
BLOCK_BYTES = 2 << 20


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of an output; times are UTC, payloads base64."""
    return pa.schema([(column.name, _ARROW[column.flink]) for column in table.columns])


def collect(staged: Path, target: Path, written: Callable[[str, int], None]) -> dict[str, int]:
    """Convert `staged`/<output>/* to `target`/<output>/*.parquet. Returns the number of rows by output.

    An output without rows gets one empty file, so that every table can be read. Files of an earlier run are replaced,
    because two runs in a folder would be billed twice, but only once all new files are written aside: a run that fails,
    as on a full disk, leaves them. `written` is called with each output and its number of rows.
    """
    aside = target / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        counts = _write_all(staged, aside, written)
        for name in OUTPUTS:
            _replace(aside / name, target / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return counts


def _replace(new: Path, folder: Path) -> None:
    """Put the files of a run in place of those of an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(new.glob("part-*.parquet"))
    for file in files:
        file.replace(folder / file.name)
    for earlier in set(folder.glob("part-*.parquet")) - {folder / file.name for file in files}:
        earlier.unlink()


def _write_all(staged: Path, target: Path, written: Callable[[str, int], None]) -> dict[str, int]:
    """Write the files of every output under `target`. Returns the number of rows by output."""
    counts = {}
    for name, table in OUTPUTS.items():
        counts[name] = 0
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, rows in enumerate(_tables(staged / name, table)):
            pq.write_table(rows, folder / f"part-{number:05d}.parquet")
            counts[name] += rows.num_rows
        if counts[name] == 0:
            pq.write_table(arrow_schema(table).empty_table(), folder / "part-00000.parquet")
        written(name, counts[name])
    return counts


def _tables(folder: Path, table: Table) -> Iterator[pa.Table]:
    """Yield the rows of each JSON file of an output."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size > 0] if folder.is_dir() else []
    types = [(c.name, pa.string() if c.flink == "TIMESTAMP(3)" else _ARROW[c.flink]) for c in table.columns]
    options = pj.ParseOptions(explicit_schema=pa.schema(types), unexpected_field_behavior="ignore")
    for path in files:
        rows = pj.read_json(path, pj.ReadOptions(block_size=BLOCK_BYTES), options)
        yield pa.table([_convert(rows[c.name], c) for c in table.columns], schema=arrow_schema(table))


def _convert(column: pa.ChunkedArray, described: Column) -> pa.ChunkedArray:
    """Convert a column as read from JSON to its Arrow type: timestamps are strings there."""
    if described.flink == "TIMESTAMP(3)":
        return pc.cast(column, pa.timestamp("ms"))
    return column
