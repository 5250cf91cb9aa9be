"""Parquet files of strangers, read with DuckDB.

The pyarrow that Flink 1.20 wants (11) runs code that a file names (CVE-2023-47248), so its readers must not see one.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa

#: Widest file that is read [columns], and memory for reading one.
MAX_COLUMNS, MEMORY = 1000, "2GB"
BATCH = 10_000
#: What DuckDB takes for a pattern of names.
_WILDCARDS = frozenset("*?[")


class ParquetError(ValueError):
    """A file that cannot be read as Parquet."""


def columns_in(stream: IO[bytes]) -> list[str]:
    """Names of the columns of a file. Raises ParquetError."""
    with _opened(stream) as found:
        return [str(column[0]) for column in found.description or ()]


def rows_in(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The rows of a file, in its order. Raises ParquetError."""
    with _opened(stream) as found:
        names = [column[0] for column in found.description or ()]
        while rows := found.fetchmany(BATCH):
            for row in rows:
                yield dict(zip(names, row, strict=True))


def table_in(stream: IO[bytes]) -> pa.Table:
    """The whole file as a table, without anything that the file says of Arrow's types. Raises ParquetError."""
    with _opened(stream) as found:
        return found.to_arrow_table()


@contextlib.contextmanager
def _opened(stream: IO[bytes]) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"memory_limit": MEMORY}) as connection:
        try:
            path = _path(stream, Path(folder))
            found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            if len(found.description or ()) > MAX_COLUMNS:
                raise ParquetError(f"{len(found.description or ())} columns; at most {MAX_COLUMNS} are read")
            yield found
        except duckdb.Error as error:
            raise ParquetError(str(error).splitlines()[0]) from None


def _path(stream: IO[bytes], folder: Path) -> Path:
    """Where the bytes lie: the file itself, or a copy where there is none or its name would be taken for a pattern."""
    name = getattr(stream, "name", None)
    if isinstance(name, str) and Path(name).is_file() and name.endswith(".parquet") and not _WILDCARDS & set(name):
        return Path(name)
    copy = folder / "copy.parquet"
    with copy.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return copy
