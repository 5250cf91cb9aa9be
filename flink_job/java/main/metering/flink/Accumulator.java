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

  /** Position that means the row's partial sum, see {@link KeyedAggregate#withPartialSum}. */
  static final int PARTIAL_SUM = -1;

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

  /** Returns the value after {@code row}; {@code partialSum} is the row's partial sum, if any. */
  long updated(long before, RowData row, long partialSum) {
    if (filterColumn != NONE && row.getInt(filterColumn) != filterValue) {
      return before;
    }
    if (kind == Kind.COUNT) {
      return before + 1;
    }
    if (column != PARTIAL_SUM && row.isNullAt(column)) {
      return before;
    }
    return with(before, column == PARTIAL_SUM ? partialSum : row.getLong(column));
  }

  /**
   * Returns the value after the second part of a row, whose group has the sum {@code partialSum};
   * {@code filter} is compared instead of the row's filter column.
   */
  long updatedByNextPart(long before, int filter, long partialSum) {
    boolean isUpdated = column == PARTIAL_SUM && (filterColumn == NONE || filter == filterValue);
    return isUpdated ? with(before, partialSum) : before;
  }

  private long with(long before, long value) {
    return kind == Kind.MAX ? Math.max(before, value) : before + value;
  }
}
