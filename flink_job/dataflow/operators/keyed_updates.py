"""State by key that is updated as each row says, and emitted after and before the row.

`KeyedAggregate` has the same accumulators for all keys. Here a row brings its updates along as bytes (see
flink_job.tariffs.updates), and `KeyedUpdates` in `flink_job/java` applies them: the accumulators of a key are data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.operators.types import key_of, widened
from flink_job.dataflow.table_stream import add_view, all_columns, as_stream
from flink_job.dataflow.uids import Uid

_DAY_MS = 86_400_000


class KeyedUpdates(NamedTuple):
    """Updates of the state of rows with the same values in the columns `key`.

    `program`: a BYTES column with the updates of a row. `quantities`: pairs of BIGINT columns, a quantity after the row
    and its change by the row. No column is ever NULL. Added columns: `slots`, BYTES with the slots after the row and
    before it (int64, little-endian), and `shown`, the BIGINT that the updates show.
    """

    key: Sequence[str]
    program: str
    quantities: Sequence[tuple[str, str]]
    slots: str
    shown: str

    def __str__(self) -> str:
        quantities = ", ".join(delta for _, delta in self.quantities)
        return f"KeyedUpdates(by=[{', '.join(self.key)}], quantities=[{quantities}], updates={self.program}, packed)"


def update_by_key(
    t_env: StreamTableEnvironment, rows: str, view: str, updates: KeyedUpdates, ttl_days: int, uid: Uid
) -> None:
    """Add as `view` the rows of view `rows` with the state of their key, in the order of arrival.

    The columns of `rows` come first. The state of a key expires `ttl_days` after its last row.
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    columns = list(schema.getColumnNames())
    after, change = (to_jarray(jvm.int, [columns.index(pair[side]) for pair in updates.quantities]) for side in (0, 1))
    function = jvm.metering.flink.KeyedUpdates(ttl_days * _DAY_MS, columns.index(updates.program), after, change)
    types = jvm.org.apache.flink.table.api.DataTypes
    stream = (
        as_stream(t_env, table, uid.rows)
        .keyBy(*key_of(schema, updates.key))
        .process(
            function,
            widened(schema, [updates.slots, updates.shown], [types.BYTES().notNull(), types.BIGINT().notNull()]),
        )
        .name(f"KeyedUpdates({view})")
        .setDescription(str(updates))
        .uid(uid)
    )
    add_view(t_env, view, stream, all_columns())
