"""Keys and row types of the operators in `flink_job/java`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.table_stream import JavaObject, row_type


def key_of(schema: JavaObject, columns: Sequence[str]) -> tuple[JavaObject, JavaObject]:
    """The (Java) key selector of rows with the columns of a (Java) schema, and the type of its keys.

    The key columns are STRING or BIGINT and never NULL; Java raises IllegalArgumentException for another type.
    """
    jvm = get_gateway().jvm
    names = list(schema.getColumnNames())
    positions = [names.index(column) for column in columns]
    types = [schema.getColumnDataTypes()[position].getLogicalType() for position in positions]
    logical = to_jarray(jvm.org.apache.flink.table.types.logical.LogicalType, types)
    key = jvm.metering.flink.ColumnKey(to_jarray(jvm.int, positions), logical)
    return key, key.getProducedType()


def internal_type(schema: JavaObject) -> JavaObject:
    """The (Java) type of rows in state, with the columns of a (Java) schema."""
    types = get_gateway().jvm.org.apache.flink.table.runtime.typeutils
    return types.InternalTypeInfo.of(row_type(schema).getLogicalType())


def widened(schema: JavaObject, names: Sequence[str], types: Sequence[JavaObject]) -> JavaObject:
    """The (Java) type of rows with the columns of a (Java) schema, followed by further columns."""
    given = dict(zip(schema.getColumnNames(), schema.getColumnDataTypes(), strict=True))
    return rows_of(given | dict(zip(names, types, strict=True)))


def rows_of(columns: Mapping[str, JavaObject]) -> JavaObject:
    """The (Java) type of rows with columns of (Java) data types."""
    jvm = get_gateway().jvm
    schema = jvm.org.apache.flink.table.catalog.ResolvedSchema.physical(list(columns), list(columns.values()))
    return jvm.org.apache.flink.table.runtime.typeutils.ExternalTypeInfo.of(row_type(schema))
