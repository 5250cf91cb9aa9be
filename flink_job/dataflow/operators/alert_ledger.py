"""Alerts that were emitted before a crash and that the job does not find again: they end, with the reason."""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.operators.types import key_of, rows_of
from flink_job.dataflow.table_stream import add_view, all_columns, as_stream, idle
from flink_job.dataflow.uids import Uid

_DAY_MS = 86_400_000
#: Time that the state machines have at least to find an alert, after its record has passed the contract join [s].
LEAST_GRACE_PERIOD_S = 10


def end_lost_alerts(
    t_env: StreamTableEnvironment,
    inputs: tuple[str, str],
    view: str,
    refresh_s: float,
    ttl_days: int,
    uid: Uid,
) -> None:
    """Add as `view` the changes of alerts of the first view, and the ends of alerts that were lost in a restart.

    The second view has the changes read back from the stream of alerts, with the columns of the first and the time at
    which they were written; its event time is the time of arrival. An alert that is unknown when its record has been
    processed again ends after `refresh_s`, but not before LEAST_GRACE_PERIOD_S. State expires `ttl_days` after the last
    change of an alert. The operator is `AlertLedger` in `flink_job/java`.
    """
    jvm = get_gateway().jvm
    found, read_back = (t_env.from_path(name) for name in inputs)
    schemas = [table._j_table.getResolvedSchema() for table in (found, read_back)]
    names, kinds = list(schemas[0].getColumnNames()), list(schemas[0].getColumnDataTypes())
    logical = [kind.getLogicalType() for kind in kinds]
    columns = jvm.metering.flink.AlertColumns(
        to_jarray(jvm.java.lang.String, names),
        to_jarray(jvm.org.apache.flink.table.types.logical.LogicalType, logical),
    )
    row = rows_of(dict(zip(names, kinds, strict=True)))
    grace_period_ms = int(1000 * max(refresh_s, LEAST_GRACE_PERIOD_S))
    ledger = jvm.metering.flink.AlertLedger(columns, row, grace_period_ms, ttl_days * _DAY_MS)
    keys = [key_of(schema, ("tenant", "alert_id")) for schema in schemas]
    stream = (
        idle(as_stream(t_env, found, uid.rows), uid.rows)
        .keyBy(*keys[0])
        .connect(as_stream(t_env, read_back, uid.versions).keyBy(*keys[1]))
        .process(ledger, row)
        .name(f"AlertLedger({view})")
        .uid(uid)
    )
    add_view(t_env, view, stream, all_columns())
