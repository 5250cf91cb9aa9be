package metering.flink;

import java.io.Serializable;
import org.apache.flink.table.data.RowData;

/**
 * Positions of the columns of a rollup's rows: start (BIGINT, epoch ms), interval (INT, s; 0 for
 * none), start of the day (BIGINT, epoch ms) and its length (INT, s), arrival (TIMESTAMP(3)), the
 * columns to sum (BIGINT), and of changes whether their hour and their day are partial (BOOLEAN).
 *
 * <p>The first sum counts rows, the second one expected rows, and the last one is the value whose
 * least and greatest sums over a slot are emitted.
 */
public final class RollupColumns implements Serializable {
  private static final long serialVersionUID = 1L;
  static final int ROWS = 0;
  static final int EXPECTED = 1;

  /** Position of a column that the rows do not have. */
  private static final int NONE = -1;

  final int start;
  final int interval;
  final int dayStart;
  final int dayLength;
  final int arrival;
  final int[] sums;
  private final int partial;
  private final int dayPartial;

  /** Creates positions for rows that are never partial. */
  public RollupColumns(
      int start, int interval, int dayStart, int dayLength, int arrival, int[] sums) {
    this(start, interval, dayStart, dayLength, arrival, sums, NONE, NONE);
  }

  /** Creates positions. */
  public RollupColumns(
      int start,
      int interval,
      int dayStart,
      int dayLength,
      int arrival,
      int[] sums,
      int partial,
      int dayPartial) {
    this.start = start;
    this.interval = interval;
    this.dayStart = dayStart;
    this.dayLength = dayLength;
    this.arrival = arrival;
    this.sums = sums;
    this.partial = partial;
    this.dayPartial = dayPartial;
  }

  /** Adds a row to a slot of its group. */
  void add(RowData row, SlotGroup group, int slot) {
    for (int at = 0; at < sums.length; at++) {
      group.sums[slot][at] += sum(row, at);
    }
    group.intervals[slot] = shorter(group.intervals[slot], row.getInt(interval));
    group.arrivalMs = Math.max(group.arrivalMs, arrivalMs(row));
    if (partial != NONE) {
      group.isPartial |= row.getBoolean(partial);
      group.isDayPartial |= row.getBoolean(dayPartial);
    }
  }

  /** Returns the shorter of two intervals in seconds, of which 0 is none. */
  static long shorter(long one, long other) {
    return one == 0 || other == 0 ? Math.max(one, other) : Math.min(one, other);
  }

  long sum(RowData row, int at) {
    return row.isNullAt(sums[at]) ? 0 : row.getLong(sums[at]);
  }

  long arrivalMs(RowData row) {
    return row.isNullAt(arrival) ? 0 : row.getTimestamp(arrival, 3).getMillisecond();
  }
}
