"""Java text for operators of Flink's SQL runtime, which Flink compiles where they run, as it does its planner's own."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from flink_job.boundary import JavaObject, row_type

_KEY = Template("""
public class KeyOfRow implements org.apache.flink.table.runtime.generated.Projection {
  private final org.apache.flink.table.data.binary.BinaryRowData key =
      new org.apache.flink.table.data.binary.BinaryRowData($columns);
  private final org.apache.flink.table.data.writer.BinaryRowWriter writer =
      new org.apache.flink.table.data.writer.BinaryRowWriter(key);
  public KeyOfRow(Object[] references) {}
  public org.apache.flink.table.data.RowData apply(org.apache.flink.table.data.RowData row) {
    writer.reset();
    $writes
    writer.complete();
    return key;
  }
}
""")
#: How the columns of a key are read and written, by their type.
_ACCESS = {"VARCHAR": "String", "BIGINT": "Long"}


class KeyTypeError(TypeError):
    """A column that no key is made of."""


def generated(kind: str, name: str, code: str) -> JavaObject:
    """A class that Flink compiles from `code`, as its operators take one of this kind."""
    gateway = get_gateway()
    of_kind = getattr(gateway.jvm.org.apache.flink.table.runtime.generated, f"Generated{kind}")
    return of_kind(name, code, gateway.new_array(gateway.jvm.Object, 0))


def key_of(schema: JavaObject, columns: Sequence[str]) -> tuple[JavaObject, JavaObject]:
    """What takes the key of a row with the columns of a (Java) schema, and the key's type.

    The columns of the key are STRING or BIGINT, and never NULL. Raises KeyTypeError.
    """
    runtime = get_gateway().jvm.org.apache.flink.table.runtime
    names = list(schema.getColumnNames())
    types = [schema.getColumnDataTypes()[names.index(column)].getLogicalType().copy(True) for column in columns]
    writes = []
    for at, (column, kind) in enumerate(zip(columns, types, strict=True)):
        access = _ACCESS.get(kind.getTypeRoot().toString())
        if access is None:
            raise KeyTypeError(f"{column} is {kind.asSummaryString()}; a key is of STRING and BIGINT columns: cast it")
        writes.append(f"writer.write{access}({at}, row.get{access}({names.index(column)}));")
    code = _KEY.substitute(columns=len(columns), writes="\n    ".join(writes))
    key = runtime.typeutils.InternalTypeInfo.ofFields(logical_types(types))
    return runtime.keyselector.BinaryRowDataKeySelector(key, generated("Projection", "KeyOfRow", code)), key


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
