"""Views of the dataflow, from their SQL files."""

from __future__ import annotations

from collections.abc import Callable

from pyflink.table import Schema, StreamTableEnvironment, Table

from flink_job.dataflow.sql import read_sql
from flink_job.dataflow.table_stream import add_view, as_stream
from flink_job.dataflow.uids import Uid


class ViewError(RuntimeError):
    """Flink refuses a view; the message names its file."""


class Views:
    """Adds views to an environment.

    The view `decode/decoded` is defined in flink_job/dataflow/sql/decode/decoded.sql; later views refer to it as
    `decoded`. `read` returns the SQL of a view.
    """

    def __init__(self, t_env: StreamTableEnvironment, read: Callable[[str], str] = read_sql) -> None:
        self._t_env, self._read = t_env, read

    def add(self, *names: str) -> None:
        """Add views that are expanded in every view that reads them. Raises ViewError."""
        for name in names:
            self._t_env.create_temporary_view(_view(name), self._query(name))

    def materialize(self, name: str, schema: Schema.Builder, step: Uid) -> None:
        """Add a view that is translated once for all its readers, with the further columns and watermark of `schema`.

        The operators that compute its rows get the uids of `step` (see table_stream.py). Raises ViewError.
        """
        add_view(self._t_env, _view(name), as_stream(self._t_env, self._query(name), step), schema)

    def _query(self, name: str) -> Table:
        try:
            return self._t_env.sql_query(self._read(name))
        except Exception as error:
            raise ViewError(f"flink_job/dataflow/sql/{name}.sql: {error}") from error


def _view(name: str) -> str:
    return name.rpartition("/")[2]
