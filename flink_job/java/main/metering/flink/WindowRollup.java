package metering.flink;

import java.time.Duration;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;

/**
 * Sums of the rows of a key by quarter hour (slot), hour and local day: emitted when the watermark
 * passes the end of the window, and again, complete, after rows that arrive later.
 *
 * <p>A row has the columns of {@link RollupColumns} and belongs to the slot in which it starts and
 * to the day that it names. For the emitted rows see {@link RollupOutput}. At the end of the input
 * all windows are emitted, and marked as partial if the watermark had not passed their end.
 *
 * <p>A late row, one of a slot that has been emitted, is emitted at once as a change, so that it
 * reaches the windows of higher levels that are still open. The corrected totals of its windows
 * follow when the watermark has advanced by the correction delay.
 *
 * <p>State, by key:
 *
 * <ul>
 *   <li>{@code groups}: the slots of each hour, with a TTL;
 *   <li>{@code progress}: what is to be emitted, see {@link RollupProgress}. Flink does not restore
 *       watermarks; as the progress is stored, no window is emitted as a first total twice.
 * </ul>
 */
public class WindowRollup extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData>, Triggerable<RowData, VoidNamespace> {
  private static final long serialVersionUID = 1L;
  static final long SLOT_MS = 900_000;
  static final long HOUR_MS = SLOT_MS * SlotGroup.SLOTS;

  final RollupColumns columns;
  private final long ttlMs;
  private final long correctionDelayMs;

  private transient MapState<Long, byte[]> groups;
  private transient ValueState<long[]> progress;
  private transient InternalTimerService<VoidNamespace> timers;
  transient RollupOutput rows;
  private transient Counter late;
  transient SlotGroup group;
  private transient long watermarkMs;

  /**
   * Creates a rollup.
   *
   * @param columns positions of the columns
   * @param ttlMs time after which sums expire
   * @param correctionDelayMs event time over which corrections are collected
   */
  public WindowRollup(RollupColumns columns, long ttlMs, long correctionDelayMs) {
    this.columns = columns;
    this.ttlMs = ttlMs;
    this.correctionDelayMs = correctionDelayMs;
  }

  @Override
  public void open() throws Exception {
    super.open();
    MapStateDescriptor<Long, byte[]> packed =
        new MapStateDescriptor<>(
            "groups", Types.LONG, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    packed.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs)).build());
    groups = getRuntimeContext().getMapState(packed);
    progress = getRuntimeContext().getState(progressDescriptor());
    timers = getInternalTimerService("windows", VoidNamespaceSerializer.INSTANCE, this);
    rows = new RollupOutput(output, columns, getProcessingTimeService());
    late = getRuntimeContext().getMetricGroup().counter("late");
    group = new SlotGroup(columns.sums.length);
    watermarkMs = Long.MIN_VALUE;
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (!mark.equals(Watermark.MAX_WATERMARK)) {
      watermarkMs = mark.getTimestamp();
    }
    super.processWatermark(mark);
  }

  @Override
  public void processElement(StreamRecord<RowData> element) throws Exception {
    RowData row = element.getValue();
    long startMs = row.getLong(columns.start);
    long slotMs = floor(startMs);
    RollupProgress at = progress();
    long dayStartMs = row.getLong(columns.dayStart);
    boolean isHeard = hear(at, start(slotMs, dayStartMs));
    long groupMs = load(at, slotMs, dayStartMs, row.getInt(columns.dayLength) * 1000L);
    int slot = (int) ((slotMs - groupMs) / SLOT_MS);
    columns.add(row, group, slot);
    boolean isLate = slotMs + SLOT_MS <= at.closedMs;
    if (isLate) {
      late.inc();
      group.corrected |= 1L << slot;
      rows.setKey((RowData) getCurrentKey());
      rows.change(row, slotMs);
      observeLate(at, row.getInt(columns.interval));
    }
    store(groupMs);
    boolean isNew = markPending(at, groupMs);
    long timeMs = isLate ? timers.currentWatermark() + correctionDelayMs : slotMs + SLOT_MS;
    if (!schedule(at, timeMs) && (isNew || isHeard)) {
      write(at);
    }
  }

  @Override
  public void onEventTime(InternalTimer<RowData, VoidNamespace> timer) throws Exception {
    boolean isEnd = timers.currentWatermark() == Long.MAX_VALUE;
    RollupProgress at = progress();
    long reachedMs = isEnd ? Math.max(at.closedMs, endMs()) : floor(timers.currentWatermark());
    at.timerMs = RollupProgress.NONE;
    at.reachedMs = reachedMs;
    rows.setKey((RowData) getCurrentKey());
    long nextMs = openExpected(at, reachedMs, isEnd);
    nextMs = Math.min(nextMs, closeGroups(at, reachedMs, isEnd));
    nextMs = Math.min(nextMs, closeDays(at, reachedMs, isEnd));
    at.closedMs = Math.max(at.closedMs, reachedMs);
    if (nextMs == Long.MAX_VALUE) {
      write(at);
    } else {
      schedule(at, nextMs);
    }
  }

  @Override
  public void onProcessingTime(InternalTimer<RowData, VoidNamespace> timer) {
    throw new IllegalStateException("A rollup has no timers in processing time");
  }

  /** The time up to which rows of the current key are expected at the end of the input. */
  long endMs() throws Exception {
    return Long.MIN_VALUE;
  }

  /** Adds the groups whose rows are expected; returns the time at which the next one is. */
  long openExpected(RollupProgress at, long reachedMs, boolean isEnd) throws Exception {
    return Long.MAX_VALUE;
  }

  /** Processes that there is a row in a group; returns whether that changes the progress. */
  boolean hear(RollupProgress at, long groupMs) throws Exception {
    return false;
  }

  /** Adds to {@link #group}, which is not stored, the rows that were expected in its slots. */
  void addUnheard(RollupProgress at, long groupMs) throws Exception {}

  /** Adds to a slot of {@link #group} that is closed the rows that are expected in it. */
  void addExpected(RollupProgress at, int slot, long slotMs, long reachedMs) {}

  /** Learns the interval of a late row, which no closing slot will show. */
  void observeLate(RollupProgress at, int intervalS) throws Exception {}

  /**
   * Whether the input ended before all rows of a window were known. A run of files has no
   * watermarks until its end: those that it has are before 1970. There, the changes that the window
   * received are marked.
   */
  boolean isPartial(boolean isMarked, long startMs, long endMs) throws Exception {
    return hasWatermarks() ? endMs > watermarkMs : isMarked;
  }

  boolean hasWatermarks() {
    return watermarkMs > 0;
  }

  /** Whether a slot without rows has a total. */
  boolean hasEmptyTotals() {
    return true;
  }

  /** Emits the slots of a group up to a time, and its hour; returns whether all is emitted. */
  private boolean close(long groupMs, RollupProgress at, long reachedMs, boolean isEnd)
      throws Exception {
    byte[] packed = groups.get(groupMs);
    if (packed == null) {
      return true;
    }
    group.unpack(packed);
    long endMs = end(groupMs, group.dayStartMs + group.dayMs);
    markPartial(groupMs, endMs, isEnd);
    for (int slot = 0; groupMs + slot * SLOT_MS < endMs; slot++) {
      long slotMs = groupMs + slot * SLOT_MS;
      if (slotMs + SLOT_MS <= at.closedMs) {
        if ((group.corrected >> slot & 1) != 0) {
          rows.slot(group, slot, slotMs, true, false, true);
        }
      } else if (slotMs + SLOT_MS <= reachedMs || isEnd) {
        addExpected(at, slot, slotMs, reachedMs);
        boolean isTotal = group.intervals[slot] != 0 || hasEmptyTotals();
        if (!group.isEmpty(slot)) {
          rows.slot(group, slot, slotMs, isTotal, true, false);
        }
      }
    }
    boolean isClosed = endMs <= reachedMs || isEnd;
    if (isClosed && !group.isEmpty()) {
      rows.window(group, groupMs, HOUR_MS, endMs <= at.closedMs);
    }
    group.corrected = 0;
    store(groupMs);
    return isClosed;
  }

  /** Marks {@link #group} if the end of the input cuts it or its day. */
  void markPartial(long groupMs, long endMs, boolean isEnd) throws Exception {
    long dayEndMs = group.dayStartMs + group.dayMs;
    group.isPartial = isEnd && isPartial(group.isPartial, groupMs, endMs);
    group.isDayPartial = isEnd && isPartial(group.isDayPartial, group.dayStartMs, dayEndMs);
  }

  /** Emits the groups up to a time; returns the end of the next slot. */
  private long closeGroups(RollupProgress at, long reachedMs, boolean isEnd) throws Exception {
    long[] open = {};
    long nextMs = Long.MAX_VALUE;
    for (int pair = 0; pair < at.groups.length; pair += 2) {
      long groupMs = at.groups[pair];
      if (groupMs >= reachedMs && !isEnd || !close(groupMs, at, reachedMs, isEnd)) {
        open = RollupProgress.with(open, groupMs, at.groups[pair + 1]);
        nextMs = Math.min(nextMs, Math.max(groupMs, reachedMs) + SLOT_MS);
      }
    }
    at.groups = open;
    return nextMs;
  }

  /** Emits the days up to a time; returns the end of the next one. */
  private long closeDays(RollupProgress at, long reachedMs, boolean isEnd) throws Exception {
    long[] open = {};
    long nextMs = Long.MAX_VALUE;
    for (int pair = 0; pair < at.days.length; pair += 2) {
      long endMs = at.days[pair + 1];
      if (endMs <= reachedMs || isEnd) {
        emitDay(at, at.days[pair], endMs, isEnd);
      } else {
        open = RollupProgress.with(open, at.days[pair], endMs);
        nextMs = Math.min(nextMs, endMs);
      }
    }
    at.days = open;
    return nextMs;
  }

  private void emitDay(RollupProgress at, long startMs, long endMs, boolean isEnd)
      throws Exception {
    SlotGroup day = new SlotGroup(columns.sums.length);
    day.clear(startMs, endMs - startMs);
    RollupOutput.Peaks peaks = new RollupOutput.Peaks();
    for (long groupMs = startMs; groupMs < endMs; groupMs = end(groupMs, endMs)) {
      load(at, groupMs, startMs, endMs - startMs);
      day.merge(group);
      peaks.add(group);
    }
    day.isDayPartial = isEnd && (day.isDayPartial || isPartial(false, startMs, endMs));
    if (!day.isEmpty()) {
      rows.day(day, peaks, endMs <= at.closedMs);
    }
  }

  /** Loads the group of a slot into {@link #group}; returns its start. */
  long load(RollupProgress at, long slotMs, long dayStartMs, long dayMs) throws Exception {
    long groupMs = start(slotMs, dayStartMs);
    byte[] packed = groups.get(groupMs);
    if (packed == null) {
      group.clear(dayStartMs, dayMs);
      addUnheard(at, groupMs);
    } else {
      group.unpack(packed);
    }
    return groupMs;
  }

  void store(long groupMs) throws Exception {
    groups.put(groupMs, group.pack());
  }

  /** Marks {@link #group} to be emitted; returns false if it already is. */
  boolean markPending(RollupProgress at, long groupMs) {
    if (at.endOfGroup(groupMs) != RollupProgress.NONE) {
      return false;
    }
    long dayEndMs = group.dayStartMs + group.dayMs;
    at.groups = RollupProgress.with(at.groups, groupMs, end(groupMs, dayEndMs));
    at.days = RollupProgress.with(at.days, group.dayStartMs, dayEndMs);
    return true;
  }

  void write(RollupProgress at) throws Exception {
    at.write(progress);
  }

  /** Sets the timer to a time and writes the progress; returns false if the timer is earlier. */
  boolean schedule(RollupProgress at, long timeMs) throws Exception {
    if (at.timerMs != RollupProgress.NONE) {
      if (at.timerMs <= timeMs) {
        return false;
      }
      timers.deleteEventTimeTimer(VoidNamespace.INSTANCE, at.timerMs);
    }
    timers.registerEventTimeTimer(VoidNamespace.INSTANCE, timeMs);
    at.timerMs = timeMs;
    write(at);
    return true;
  }

  /** The end of the last row of a key whose windows have not been emitted; NONE without one. */
  long endOfRows(RollupProgress at) throws Exception {
    for (int pair = at.groups.length - 2; pair >= 0; pair -= 2) {
      group.unpack(groups.get(at.groups[pair]));
      for (int slot = SlotGroup.SLOTS - 1; slot >= 0; slot--) {
        if (group.intervals[slot] != 0) {
          return at.groups[pair] + slot * SLOT_MS + Math.max(SLOT_MS, group.intervals[slot] * 1000);
        }
      }
    }
    return RollupProgress.NONE;
  }

  static ValueStateDescriptor<long[]> progressDescriptor() {
    return new ValueStateDescriptor<>(
        "progress", PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO);
  }

  RollupProgress progress() throws Exception {
    return RollupProgress.read(progress);
  }

  long watermark() {
    return timers.currentWatermark();
  }

  static long floor(long ms) {
    return Math.floorDiv(ms, SLOT_MS) * SLOT_MS;
  }

  static long start(long slotMs, long dayStartMs) {
    return Math.max(Math.floorDiv(slotMs, HOUR_MS) * HOUR_MS, dayStartMs);
  }

  static long end(long groupMs, long dayEndMs) {
    return Math.min((Math.floorDiv(groupMs, HOUR_MS) + 1) * HOUR_MS, dayEndMs);
  }
}
