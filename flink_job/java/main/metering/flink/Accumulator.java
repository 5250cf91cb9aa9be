package metering.flink;

import java.io.Serializable;
import org.apache.flink.table.data.RowData;

/**
 * An accumulator of a {@link KeyedAggregate}: a long that starts at {@code start} and is updated by
 * the rows of a key, optionally only by those in which an INT column has a given value.
 */
final class Accumulator implements Serializable {
  private static final long serialVersionUID = 1L;

  /** How a row updates the accumulator. */
  enum Kind {
    /** The larger of the accumulator and the row's value. */
    MAX,
    /** The sum of the accumulator and the row's value. */
    SUM,
    /** The number of rows. */
    COUNT
  }

  /** Position that means no column. */
  static final int NONE = -2;

  final Kind kind;
  final long start;
  private final int column;
  private final int filterColumn;
  private final int filterValue;

  Accumulator(Kind kind, int column, long start, int filterColumn, int filterValue) {
    this.kind = kind;
    this.column = column;
    this.start = start;
    this.filterColumn = filterColumn;
    this.filterValue = filterValue;
  }

  /** Returns the value after {@code row}. */
  long updated(long before, RowData row) {
    if (filterColumn != NONE && row.getInt(filterColumn) != filterValue) {
      return before;
    }
    if (kind == Kind.COUNT) {
      return before + 1;
    }
    if (row.isNullAt(column)) {
      return before;
    }
    long value = row.getLong(column);
    return kind == Kind.MAX ? Math.max(before, value) : before + value;
  }
}
