"""Keys and row types of operators that are put into the dataflow by hand, and Java text that Flink compiles for one of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from flink_job.dataflow.table_stream import JavaObject, row_type


def generated(kind: str, name: str, code: str) -> JavaObject:
    """A class that Flink compiles from `code`, as its operators take one of this kind."""
    gateway = get_gateway()
    of_kind = getattr(gateway.jvm.org.apache.flink.table.runtime.generated, f"Generated{kind}")
    return of_kind(name, code, gateway.new_array(gateway.jvm.Object, 0))


def key_of(schema: JavaObject, columns: Sequence[str]) -> tuple[JavaObject, JavaObject]:
    """The (Java) key selector of rows with the columns of a (Java) schema, and the type of its keys.

    The columns of the key are STRING or BIGINT and never NULL; Java raises IllegalArgumentException for another type.
    """
    gateway = get_gateway()
    names = list(schema.getColumnNames())
    positions = [names.index(column) for column in columns]
    types = [schema.getColumnDataTypes()[position].getLogicalType() for position in positions]
    key = gateway.jvm.metering.flink.ColumnKey(to_jarray(gateway.jvm.int, positions), logical_types(types))
    return key, key.getProducedType()


def logical_types(types: Sequence[JavaObject]) -> JavaObject:
    """A (Java) array of types."""
    return to_jarray(get_gateway().jvm.org.apache.flink.table.types.logical.LogicalType, list(types))


def widened(schema: JavaObject, names: Sequence[str], types: Sequence[JavaObject]) -> JavaObject:
    """The type of rows with the columns of a (Java) schema and further ones."""
    jvm = get_gateway().jvm
    all_names = [*schema.getColumnNames(), *names]
    all_types = [*schema.getColumnDataTypes(), *types]
    wide = jvm.org.apache.flink.table.catalog.ResolvedSchema.physical(all_names, all_types)
    return jvm.org.apache.flink.table.runtime.typeutils.ExternalTypeInfo.of(row_type(wide))
