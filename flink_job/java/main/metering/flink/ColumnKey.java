package metering.flink;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.data.writer.BinaryRowWriter;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.VarCharType;

/**
 * The key of a row: some of its columns, each STRING or BIGINT and never NULL.
 *
 * <p>The key is in Flink's binary form, whose hash is that of its bytes: a key read back from state must be equal to the
 * row's, which generic rows and binary rows are not. Its classes are internal to Flink, see docs/reference/connectors.md.
 */
public final class ColumnKey implements KeySelector<RowData, RowData>, ResultTypeQueryable<RowData> {
  private static final long serialVersionUID = 1L;

  private final int[] columns;
  private final boolean[] isText;

  /**
   * Raises IllegalArgumentException for a column that is neither STRING nor BIGINT.
   *
   * @param columns the columns of the key, by position
   * @param types their types
   */
  public ColumnKey(int[] columns, LogicalType[] types) {
    this.columns = columns;
    this.isText = new boolean[columns.length];
    for (int at = 0; at < columns.length; at++) {
      isText[at] = types[at].getTypeRoot() == LogicalTypeRoot.VARCHAR;
      if (!isText[at] && types[at].getTypeRoot() != LogicalTypeRoot.BIGINT) {
        throw new IllegalArgumentException(
            "key column " + columns[at] + " is " + types[at].asSummaryString() + ": cast it to STRING or BIGINT");
      }
    }
  }

  @Override
  public RowData getKey(RowData row) {
    BinaryRowData key = new BinaryRowData(columns.length);
    BinaryRowWriter writer = new BinaryRowWriter(key);
    for (int at = 0; at < columns.length; at++) {
      if (isText[at]) {
        writer.writeString(at, (BinaryStringData) row.getString(columns[at]));
      } else {
        writer.writeLong(at, row.getLong(columns[at]));
      }
    }
    writer.complete();
    return key;
  }

  @Override
  public TypeInformation<RowData> getProducedType() {
    LogicalType[] types = new LogicalType[columns.length];
    for (int at = 0; at < columns.length; at++) {
      types[at] = isText[at] ? new VarCharType(false, VarCharType.MAX_LENGTH) : new BigIntType(false);
    }
    return InternalTypeInfo.ofFields(types);
  }
}
