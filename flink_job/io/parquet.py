"""Reads untrusted Parquet files with DuckDB.

pyarrow 11, which Flink 1.20 requires, may run code contained in a file (CVE-2023-47248), so its readers must not be
used on untrusted files.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa

from flink_job.errors import MeteringError
from flink_job.metering import bounds

#: Maximum number of columns of a file, and maximum memory for reading it.
MAX_COLUMNS, MEMORY = 1000, "2GB"
BATCH = 10_000
_ROWS = "SELECT * FROM read_parquet(?)"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": MEMORY,
    "autoinstall_known_extensions": False,
}
#: Characters that make DuckDB interpret a file name as a pattern.
_WILDCARDS = frozenset("*?[")


class ParquetError(MeteringError, ValueError):
    """A file that cannot be read as Parquet."""


def columns_in(stream: IO[bytes]) -> list[str]:
    """Return the column names of a file. Raises ParquetError."""
    with _opened(stream) as (connection, path):
        return list(connection.sql(_ROWS, params=[path]).columns)


def rows_in(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file, in file order, as {column: value}. Raises ParquetError."""
    with _opened(stream) as (connection, path):
        found = connection.execute(_ROWS, [path])
        names = [column[0] for column in found.description or ()]
        while rows := found.fetchmany(BATCH):
            for row in rows:
                yield dict(zip(names, row, strict=True))


def table_in(stream: IO[bytes], columns: Sequence[str]) -> pa.Table:
    """Return those of `columns` that the file has, as a table that ignores Arrow types stored in the file.

    A file of one megabyte can contain a hundred million equal rows, so the size of the table is limited to
    `bounds.MAX_TABLE_BYTES`. Raises ParquetError.
    """
    with _opened(stream) as (connection, path):
        found = connection.sql(_ROWS, params=[path])
        wanted = [duckdb.ColumnExpression(name) for name in found.columns if name in columns]
        if not wanted:
            raise ParquetError(f"none of the columns {', '.join(columns)}")
        reader = found.project(*wanted).to_arrow_reader(BATCH)
        batches: list[pa.RecordBatch] = []
        size = 0
        for batch in reader:
            size += batch.nbytes
            if size > bounds.MAX_TABLE_BYTES:
                raise ParquetError(f"more than {bounds.MAX_TABLE_BYTES} bytes when unpacked; split the file")
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


@contextlib.contextmanager
def _opened(stream: IO[bytes]) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Yield (connection, path) of a valid Parquet file. Raises ParquetError, also if it has too many columns."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config=_CONFIG) as connection:
        try:
            path = str(_path(stream, Path(folder)))
            connection.execute("SET enable_progress_bar = false")
            columns = len(connection.sql(_ROWS, params=[path]).columns)
            if columns > MAX_COLUMNS:
                raise ParquetError(f"{columns} columns; at most {MAX_COLUMNS} are read")
            yield connection, path
        except duckdb.Error as error:
            raise ParquetError(str(error).splitlines()[0]) from None


def _path(stream: IO[bytes], folder: Path) -> Path:
    """Return a path to the content: the file itself, or a copy if it is not a local file or its name has wildcards."""
    name = getattr(stream, "name", None)
    if isinstance(name, str) and Path(name).is_file() and name.endswith(".parquet") and not _WILDCARDS & set(name):
        return Path(name)
    copy = folder / "copy.parquet"
    with copy.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return copy
