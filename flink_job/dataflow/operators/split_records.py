"""Records split into the readings that they hold, by a Java operator (SplitRecords.java in flink_job/java).

A SQL table function in Java would need its class on the classpath of whoever submits the job; an operator does not.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.codegen import widened
from flink_job.dataflow.table_stream import as_it_is, as_stream, register
from flink_job.dataflow.uids import Uid


def with_parts(t_env: StreamTableEnvironment, rows: str, view: str, records: str, uid: Uid, step: str) -> None:
    """Register as `view` the rows of view `rows`, one for each part of the record in their BYTES column `records`.

    The columns of `rows` come first, then `part` BYTES, `part_number` INT (from 1) and `parts` INT. The operators that
    compute `rows` are those of `step`.
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    types = jvm.org.apache.flink.table.api.DataTypes
    added = {"part": types.BYTES(), "part_number": types.INT().notNull(), "parts": types.INT().notNull()}
    column = list(schema.getColumnNames()).index(records)
    split = as_stream(t_env, table, step).flatMap(
        jvm.metering.flink.SplitRecords(column),
        widened(schema, list(added), list(added.values())),
    )
    register(t_env, view, split.name(f"Split({view})").uid(uid), as_it_is())
