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
 * Key selector: the key of a row is some of its columns, each STRING or BIGINT and never NULL.
 *
 * <p>The key is a binary row, whose hash is that of its bytes. A key that is read from state must
 * equal the key of a row, and a generic row never equals a binary row.
 */
public final class ColumnKey
    implements KeySelector<RowData, RowData>, ResultTypeQueryable<RowData> {
  private static final long serialVersionUID = 1L;

  private final int[] columns;
  private final boolean[] isText;

  /**
   * Creates a selector.
   *
   * @param columns positions of the key columns
   * @param types their types
   * @throws IllegalArgumentException if a column is neither STRING nor BIGINT
   */
  public ColumnKey(int[] columns, LogicalType[] types) {
    this.columns = columns;
    this.isText = new boolean[columns.length];
    for (int at = 0; at < columns.length; at++) {
      isText[at] = types[at].getTypeRoot() == LogicalTypeRoot.VARCHAR;
      if (!isText[at] && types[at].getTypeRoot() != LogicalTypeRoot.BIGINT) {
        throw new IllegalArgumentException(
            "key column "
                + columns[at]
                + " is "
                + types[at].asSummaryString()
                + ": cast it to STRING or BIGINT");
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
      types[at] =
          isText[at] ? new VarCharType(false, VarCharType.MAX_LENGTH) : new BigIntType(false);
    }
    return InternalTypeInfo.ofFields(types);
  }
}
