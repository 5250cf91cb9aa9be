"""Split of records into the readings that they contain. The function is `SplitRecords` in `flink_job/java`.

A SQL table function in Java would need the jar on the classpath of the client that submits the job; a DataStream
function does not.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.types import widened
from flink_job.dataflow.table_stream import add_view, all_columns, as_stream
from flink_job.dataflow.uids import Uid


def split_records(t_env: StreamTableEnvironment, rows: str, view: str, records: str, uid: Uid) -> None:
    """Add as `view` the rows of view `rows`, once for each part of the record in their BYTES column `records`.

    The columns of `rows` come first, then `part` BYTES, `part_number` INT (from 1) and `parts` INT.
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    types = jvm.org.apache.flink.table.api.DataTypes
    added = {"part": types.BYTES(), "part_number": types.INT().notNull(), "parts": types.INT().notNull()}
    column = list(schema.getColumnNames()).index(records)
    split = as_stream(t_env, table, uid.rows).flatMap(
        jvm.metering.flink.SplitRecords(column),
        widened(schema, list(added), list(added.values())),
    )
    add_view(t_env, view, split.name(f"Split({view})").uid(uid), all_columns())
