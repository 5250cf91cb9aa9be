"""Sums by quarter hour, hour and local day, emitted when their window ends and corrected when late rows arrive.

Flink's window aggregates drop late rows, or with the legacy syntax emit them as changelogs that no further window
accepts; they have no local days, and no windows for a key without rows. The operators are `WindowRollup` and
`ExpectedRollup` in `flink_job/java`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.operators.types import key_of, rows_of
from flink_job.dataflow.table_stream import JavaObject, add_view, as_stream, idle, row_type, with_same_watermarks
from flink_job.dataflow.uids import Uid

_DAY_MS = 86_400_000
#: Event time over which corrections of a window are collected [ms].
CORRECTION_DELAY_MS = 1_000
#: Interval that is expected of a meter that has never sent a reading [s].
DEFAULT_INTERVAL_S = 900
#: Columns of a row that are not summed.
_ROW = ("start_ms", "interval_s", "day_start_ms", "day_s", "arrival")
#: Columns that changes of windows have.
_PARTIAL = ("is_partial", "is_day_partial")
_TERMS = ("zone", "from_ms", "until_ms", "site", "interval_s")


class Rollup(NamedTuple):
    """`key`: columns that identify an entity. `sums`: columns to sum (BIGINT).

    The first sum counts readings, the second one expected readings; of the last one the least and greatest values of a
    quarter hour are added as `min_<name>` and `max_<name>`. Rows have the columns `start_ms`, `interval_s`,
    `day_start_ms`, `day_s` and `arrival`, too.
    """

    key: Sequence[str]
    sums: Sequence[str]


def roll_up(
    t_env: StreamTableEnvironment, rows: str, view: str, rollup: Rollup, ttl_days: int, uid: Uid, expected: str = ""
) -> None:
    """Add as `view` the windows of the view `rows`, whose watermarks go on as `row_time`.

    For the columns of `view` see `RollupOutput.java`: the key, `day_start_ms`, `day_s`, `start_ms`, `window_s`,
    `is_total`, `is_change`, `is_corrected`, `is_partial`, `is_day_partial`, `interval_s`, the sums, the least and
    greatest of the last one, `arrival` and `emitted_at`. The view `expected`, if given, has the key and the columns
    `zone`, `from_ms`, `until_ms`, `site` and `interval_s`: rows of a key are expected between these times; in a bounded
    run, between the first and the last row of its site, which both views name.
    The sums of a quarter hour expire `ttl_days` after its last row.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    columns = _columns(schema, rollup)
    own = get_gateway().jvm.metering.flink
    stream = as_stream(t_env, table, uid.rows).keyBy(*key_of(schema, rollup.key))
    name, result = f"RollUp({view})", _result_type(schema, rollup)
    times = ttl_days * _DAY_MS, CORRECTION_DELAY_MS
    if expected:
        terms = t_env.from_path(expected)
        terms_schema = terms._j_table.getResolvedSchema()
        at = _positions(list(terms_schema.getColumnNames()), _TERMS)
        second = idle(as_stream(t_env, terms, uid.versions), uid.versions).keyBy(*key_of(terms_schema, rollup.key))
        site = list(schema.getColumnNames()).index("site")
        operator = own.ExpectedRollup(columns, site, at, *times, DEFAULT_INTERVAL_S)
        windows = stream.connect(second).transform(name, result, operator)
    else:
        windows = stream.transform(name, result, own.WindowRollup(columns, *times))
    windows.setDescription(f"RollUp(by=[{', '.join(rollup.key)}], sums=[{', '.join(rollup.sums)}])")
    add_view(t_env, view, windows.uid(uid), with_same_watermarks("row_time"))


def combine(t_env: StreamTableEnvironment, rows: str, view: str, rollup: Rollup, depth: int, uid: Uid) -> None:
    """Add as `view` the rows of the view `rows`, summed between two watermarks: those of a key and quarter hour.

    The first column of the key is a path, of which only the first `depth` parts remain. The columns are those of
    `rows`. Far fewer rows reach the rollup of levels that many meters share.
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names, path = list(schema.getColumnNames()), rollup.key[0]
    kinds = [column.getLogicalType() for column in schema.getColumnDataTypes()]
    getters = [jvm.org.apache.flink.table.data.RowData.createFieldGetter(kind, at) for at, kind in enumerate(kinds)]
    fields = to_jarray(getattr(jvm.org.apache.flink.table.data, "RowData$FieldGetter"), getters)
    key = names.index(path), depth, _positions(names, rollup.key[1:])
    combiner = jvm.metering.flink.ChangeCombiner(*key, _columns(schema, rollup), fields)
    result = jvm.org.apache.flink.table.runtime.typeutils.ExternalTypeInfo.of(row_type(schema))
    combined = as_stream(t_env, table, uid.rows).transform(f"Combine({rows})", result, combiner).uid(uid)
    add_view(t_env, view, combined, with_same_watermarks("row_time"))


def _columns(schema: JavaObject, rollup: Rollup) -> JavaObject:
    """The (Java) positions of the columns of a rollup."""
    names = list(schema.getColumnNames())
    positions = [names.index(name) for name in _ROW]
    flags = [names.index(name) for name in _PARTIAL if name in names]
    return get_gateway().jvm.metering.flink.RollupColumns(*positions, _positions(names, rollup.sums), *flags)


def _positions(names: Sequence[str], wanted: Sequence[str]) -> JavaObject:
    return to_jarray(get_gateway().jvm.int, [list(names).index(name) for name in wanted])


def _result_type(schema: JavaObject, rollup: Rollup) -> JavaObject:
    """The (Java) type of the emitted rows."""
    jvm = get_gateway().jvm
    types = jvm.org.apache.flink.table.api.DataTypes
    given = dict(zip(schema.getColumnNames(), schema.getColumnDataTypes(), strict=True))
    long, integer, boolean = types.BIGINT().notNull(), types.INT().notNull(), types.BOOLEAN().notNull()
    last = rollup.sums[-1]
    columns = {
        **{name: given[name] for name in rollup.key},
        "day_start_ms": long,
        "day_s": integer,
        "start_ms": long,
        "window_s": integer,
        "is_total": boolean,
        "is_change": boolean,
        "is_corrected": boolean,
        **dict.fromkeys(_PARTIAL, boolean),
        "interval_s": integer,
        **dict.fromkeys(rollup.sums, long),
        f"min_{last}": types.BIGINT(),
        f"max_{last}": types.BIGINT(),
        "arrival": types.TIMESTAMP(3),
        "emitted_at": types.TIMESTAMP(3),
    }
    return rows_of(columns)
