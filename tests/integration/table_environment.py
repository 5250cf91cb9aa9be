"""A small table environment for tests of single operators: one slot, either state backend."""

from __future__ import annotations

import tempfile
from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.environment import CONNECTOR_JAR

#: RocksDB serializes values, the heap retains objects.
BACKENDS = ("rocksdb", "hashmap")


def table_environment(backend: str = "hashmap") -> StreamTableEnvironment:
    """An environment with the operators of `flink_job/java` and object reuse, as the job has it."""
    configuration = Configuration()
    configuration.set_string("state.backend.type", backend)
    configuration.set_string("pipeline.object-reuse", "true")
    configuration.set_string("pipeline.jars", CONNECTOR_JAR.as_uri())
    configuration.set_string("io.tmp.dirs", tempfile.gettempdir())
    configuration.set_string("table.local-time-zone", "UTC")
    stream_env = StreamExecutionEnvironment.get_execution_environment(configuration)
    stream_env.set_parallelism(1)
    return StreamTableEnvironment.create(stream_env)


def rows_of(t_env: StreamTableEnvironment, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, in the order of emission."""
    with t_env.sql_query(query).execute().collect() as results:
        return [tuple(row) for row in results]
