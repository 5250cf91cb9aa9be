"""Contracts with the documents that belong to them: the terms of their supply point, the meter upstream.

A row is emitted again when one of these documents changes, which no join of SQL does without a changelog. The operator
is `GroupJoin` in `flink_job/java`.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.temporal_join import StoredRows, snapshot_of
from flink_job.dataflow.operators.types import internal_type, key_of, rows_of
from flink_job.dataflow.table_stream import add_view, as_stream, with_arrival_time
from flink_job.dataflow.uids import Uid

#: Number of columns of an emitted row: key, value, version, position and arrival.
_EMITTED = 5


def attach_groups(t_env: StreamTableEnvironment, rows: str, view: str, snapshot: StoredRows, uid: Uid) -> None:
    """Add as `view` the rows of view `rows` with the values of the groups to which they listen.

    The columns of `rows` are a key (STRING, NULL for a row that is only attached), a value, a version
    (TIMESTAMP_LTZ(3)), a position, the arrival (TIMESTAMP_LTZ(3)), a partition, a name in it, and the groups that a row
    listens to and provides; see GroupJoin.java for the format. Those of `view` are the first five; its watermark is the
    arrival. The rows never expire. An operator without state reads `snapshot` before it processes any row.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names, kinds = list(schema.getColumnNames()), list(schema.getColumnDataTypes())
    own = get_gateway().jvm.metering.flink
    partition, key_type = key_of(schema, [names[_EMITTED]])
    join = own.GroupJoin(internal_type(schema), partition, snapshot_of(snapshot))
    result = rows_of(dict(zip(names[:_EMITTED], [kind.notNull() for kind in kinds[:_EMITTED]], strict=True)))
    stream = (
        as_stream(t_env, table, uid.rows).keyBy(partition, key_type).transform(f"AttachGroups({view})", result, join)
    )
    stream.setDescription(f"AttachGroups(partition=[{names[_EMITTED]}])")
    add_view(t_env, view, stream.uid(uid), with_arrival_time(names[_EMITTED - 1]))
