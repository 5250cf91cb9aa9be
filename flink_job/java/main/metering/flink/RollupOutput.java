package metering.flink;

import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.utils.JoinedRowData;

/**
 * Rows that a {@link WindowRollup} emits: the columns of the key, followed by
 *
 * <ol>
 *   <li>start (BIGINT, epoch ms) and length (INT, s) of the day; an hour in which a day ends has
 *       one row per day;
 *   <li>start (BIGINT, epoch ms) and length (INT, s) of the window;
 *   <li>is_total (BOOLEAN): the row has the sums of the window and replaces its earlier rows;
 *   <li>is_change (BOOLEAN): the row is to be added to the slot of a higher level. The first total
 *       of a slot is also its change;
 *   <li>is_corrected (BOOLEAN): the window has been emitted before;
 *   <li>is_partial (BOOLEAN): the input ended before all rows of the window were known, of a change
 *       those of its hour; is_day_partial (BOOLEAN): those of its day;
 *   <li>interval (INT, s): the shortest interval of the rows, 0 without rows;
 *   <li>the sums (BIGINT), and the least and the greatest last sum of a slot with rows (BIGINT, or
 *       NULL);
 *   <li>the latest arrival (TIMESTAMP(3), or NULL);
 *   <li>the time of emission (TIMESTAMP(3)): of two totals of a window the later one has a later
 *       time, though both may be emitted in one millisecond.
 * </ol>
 *
 * <p>Their timestamp is the end of the window.
 */
final class RollupOutput {
  private static final int FIXED = 10;
  private static final long DAY_MS = 86_400_000;

  private final Output<StreamRecord<RowData>> output;
  private final RollupColumns columns;
  private final JoinedRowData joined = new JoinedRowData();
  private final StreamRecord<RowData> record = new StreamRecord<>(null);
  private final EmissionClock clock;
  private RowData key;

  RollupOutput(
      Output<StreamRecord<RowData>> output, RollupColumns columns, ProcessingTimeService time) {
    this.output = output;
    this.columns = columns;
    this.clock = new EmissionClock(time);
  }

  /** Least and greatest last sum of the slots with rows. */
  static final class Peaks {
    private Long least;
    private Long greatest;

    void add(SlotGroup group) {
      for (int slot = 0; slot < SlotGroup.SLOTS; slot++) {
        add(group, slot);
      }
    }

    void add(SlotGroup group, int slot) {
      if (group.intervals[slot] != 0) {
        long value = group.sums[slot][group.sums[slot].length - 1];
        least = least == null ? value : Math.min(least, value);
        greatest = greatest == null ? value : Math.max(greatest, value);
      }
    }
  }

  /** Sets the key of the rows that follow. */
  void setKey(RowData ofKey) {
    key = ofKey;
  }

  /** Emits a late row as a change of its slot. */
  void change(RowData row, long slotMs) {
    long[] sums = new long[columns.sums.length];
    for (int at = 0; at < sums.length; at++) {
      sums[at] = columns.sum(row, at);
    }
    GenericRowData values =
        values(
            row.getLong(columns.dayStart),
            row.getInt(columns.dayLength) * 1000L,
            slotMs,
            WindowRollup.SLOT_MS);
    flags(values, false, true, true, row.getInt(columns.interval));
    partial(values, false, false);
    emit(values, sums, new Peaks(), columns.arrivalMs(row));
  }

  /** Emits a slot. */
  void slot(
      SlotGroup group,
      int slot,
      long slotMs,
      boolean isTotal,
      boolean isChange,
      boolean isCorrected) {
    GenericRowData values = values(group.dayStartMs, group.dayMs, slotMs, WindowRollup.SLOT_MS);
    flags(values, isTotal, isChange, isCorrected, (int) group.intervals[slot]);
    partial(values, group.isPartial, group.isDayPartial);
    Peaks peaks = new Peaks();
    peaks.add(group, slot);
    emit(values, group.sums[slot], peaks, group.arrivalMs);
  }

  /** Emits the total of a group of slots as a window. */
  void window(SlotGroup group, long startMs, long lengthMs, boolean isCorrected) {
    Peaks peaks = new Peaks();
    peaks.add(group);
    GenericRowData values =
        values(
            group.dayStartMs, group.dayMs, Math.floorDiv(startMs, lengthMs) * lengthMs, lengthMs);
    flags(values, true, false, isCorrected, group.interval());
    partial(values, group.isPartial, group.isDayPartial);
    emit(values, group.total(), peaks, group.arrivalMs);
  }

  /** Emits the total of a day. */
  void day(SlotGroup day, Peaks peaks, boolean isCorrected) {
    GenericRowData values = values(day.dayStartMs, day.dayMs, day.dayStartMs, DAY_MS);
    flags(values, true, false, isCorrected, day.interval());
    partial(values, day.isDayPartial, day.isDayPartial);
    emit(values, day.total(), peaks, day.arrivalMs);
  }

  private GenericRowData values(long dayStartMs, long dayMs, long startMs, long lengthMs) {
    GenericRowData values = new GenericRowData(FIXED + columns.sums.length + 4);
    values.setField(0, dayStartMs);
    values.setField(1, (int) (dayMs / 1000));
    values.setField(2, startMs);
    values.setField(3, (int) (lengthMs / 1000));
    return values;
  }

  private void flags(
      GenericRowData values, boolean isTotal, boolean isChange, boolean isCorrected, int interval) {
    values.setField(4, isTotal);
    values.setField(5, isChange);
    values.setField(6, isCorrected);
    values.setField(9, interval);
  }

  private void partial(GenericRowData values, boolean isPartial, boolean isDayPartial) {
    values.setField(7, isPartial);
    values.setField(8, isDayPartial);
  }

  private void emit(GenericRowData values, long[] sums, Peaks peaks, long arrivalMs) {
    int at = FIXED;
    for (long sum : sums) {
      values.setField(at++, sum);
    }
    values.setField(at++, peaks.least);
    values.setField(at++, peaks.greatest);
    values.setField(at++, arrivalMs == 0 ? null : TimestampData.fromEpochMillis(arrivalMs));
    long emittedMs = clock.next(key, values.getLong(0), values.getLong(2), values.getInt(3));
    values.setField(at, TimestampData.fromEpochMillis(emittedMs));
    long endMs = values.getLong(2) + values.getInt(3) * 1000L;
    output.collect(record.replace(joined.replace(key, values), endMs));
  }
}
