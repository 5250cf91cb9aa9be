"""The energy that each read of a cumulative register adds. The operator is `RegisterEnergy` in `flink_job/java`."""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.operators.types import key_of, widened
from flink_job.dataflow.table_stream import add_view, all_columns, as_stream
from flink_job.dataflow.uids import Uid
from flink_job.metering.units import QUANTITY_LIMIT

_KEY = ("meter_id", "register_id")
#: Columns that the operator reads, in its order.
_COLUMNS = ("start_ms", "interval_s", "register_packed", "rollover_ukwh", "highest_uw")


def energy_of_reads(t_env: StreamTableEnvironment, rows: str, view: str, uid: Uid) -> None:
    """Add as `view` the rows of view `rows`, register reads, with the energy that each adds.

    The columns of `rows` come first, then those of the operator. The state never expires.
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names = list(schema.getColumnNames())
    columns = to_jarray(jvm.int, [names.index(name) for name in _COLUMNS])
    types = jvm.org.apache.flink.table.api.DataTypes
    bigint = types.BIGINT().notNull()
    added = {
        "register_energy_ukwh": bigint,
        "register_demand_ukwh": bigint,
        "register_interval_ukwh": bigint,
        "register_condition": types.INT().notNull(),
        "is_overtaken": types.BOOLEAN().notNull(),
    }
    stream = (
        as_stream(t_env, table, uid.rows)
        .keyBy(*key_of(schema, _KEY))
        .process(
            jvm.metering.flink.RegisterEnergy(columns, QUANTITY_LIMIT),
            widened(schema, list(added), list(added.values())),
        )
        .name(f"RegisterEnergy({view})")
        .setDescription(f"RegisterEnergy(by=[{', '.join(_KEY)}])")
        .uid(uid)
    )
    add_view(t_env, view, stream, all_columns())
