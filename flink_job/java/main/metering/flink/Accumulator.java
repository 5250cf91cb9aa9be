package metering.flink;

import java.io.Serializable;
import org.apache.flink.table.data.RowData;

/**
 * One accumulator of a {@link KeyedAggregate}: a long that starts at {@code start} and is updated by the rows under a key,
 * optionally only by those in which an INT column has a given value.
 */
final class Accumulator implements Serializable {
  private static final long serialVersionUID = 1L;

  /** How a row's value changes the accumulator. */
  enum Kind {
    /** The larger of both. */
    MAX,
    /** The sum of both. */
    SUM,
    /** One more, whatever the value. */
    COUNT
  }

  /** In place of a column: the row's value is its aggregated part, see {@link KeyedAggregate#withParts}. */
  static final int PART = -1;

  /** In place of a column: none. */
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

  /** The accumulator's value after {@code row}; {@code part} is the row's aggregated part where there is one. */
  long updated(long before, RowData row, long part) {
    if (filterColumn != NONE && row.getInt(filterColumn) != filterValue) {
      return before;
    }
    if (kind == Kind.COUNT) {
      return before + 1;
    }
    if (column != PART && row.isNullAt(column)) {
      return before;
    }
    long value = column == PART ? part : row.getLong(column);
    return kind == Kind.MAX ? Math.max(before, value) : before + value;
  }
}
