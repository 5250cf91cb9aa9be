package metering.flink;

import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.TimerService;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Left join in event time: joins each left row with the latest right row of the same key at or
 * before its time, or with NULLs if there is none.
 *
 * <p>Both inputs are insert-only and have a column of type TIMESTAMP_LTZ(3) NOT NULL as their time.
 * A left row waits until the watermarks of both inputs have reached its time; a row that is late by
 * then is emitted at the next watermark, with NULLs if the version of its time has been removed.
 * The rows of a key that are emitted at one watermark have the order in which they arrived. Of
 * several right rows of one time the last to arrive is used. An emitted row has the row kind and
 * the columns of the left row, followed by the columns of the right row.
 *
 * <p>State, by key:
 *
 * <ul>
 *   <li>{@code waiting}: left rows, by their number in the order of arrival, until they are
 *       emitted;
 *   <li>{@code arrivals}: the number of the last waiting row, as long as a row waits;
 *   <li>{@code versions}: right rows, by their time. When the watermark passes a row, all earlier
 *       ones are removed, so the latest row of each key is retained without limit. There is no TTL;
 *   <li>{@code timer}: the time of the one event-time timer of the key.
 * </ul>
 *
 * <p>After a restore, waiting rows are emitted once the watermarks, which are not part of a
 * savepoint, reach them again.
 *
 * <p>Rows are stored as they arrive. With object reuse, the inputs must come from a network
 * exchange, as after any {@code keyBy}.
 */
public final class AsOfJoin extends KeyedCoProcessFunction<RowData, RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;
  private static final int TIME_PRECISION = 3;

  private final TypeInformation<RowData> leftType;
  private final TypeInformation<RowData> rightType;
  private final int leftTime;
  private final int rightTime;
  private final int rightColumns;

  private transient MapState<Long, RowData> waiting;
  private transient ValueState<Long> arrivals;
  private transient MapState<Long, RowData> versions;
  private transient ValueState<Long> timer;
  private transient JoinedRowData joined;
  private transient RowData nulls;

  /**
   * Creates a join.
   *
   * @param leftType type of the left rows
   * @param rightType type of the right rows
   * @param leftTime position of the time column in a left row
   * @param rightTime position of the time column in a right row
   * @param rightColumns number of columns of a right row
   */
  public AsOfJoin(
      TypeInformation<RowData> leftType,
      TypeInformation<RowData> rightType,
      int leftTime,
      int rightTime,
      int rightColumns) {
    this.leftType = leftType;
    this.rightType = rightType;
    this.leftTime = leftTime;
    this.rightTime = rightTime;
    this.rightColumns = rightColumns;
  }

  @Override
  public void open(OpenContext openContext) {
    waiting =
        getRuntimeContext().getMapState(new MapStateDescriptor<>("waiting", Types.LONG, leftType));
    arrivals = getRuntimeContext().getState(new ValueStateDescriptor<>("arrivals", Types.LONG));
    versions =
        getRuntimeContext()
            .getMapState(new MapStateDescriptor<>("versions", Types.LONG, rightType));
    timer = getRuntimeContext().getState(new ValueStateDescriptor<>("timer", Types.LONG));
    joined = new JoinedRowData();
    nulls = new GenericRowData(rightColumns);
  }

  @Override
  public void processElement1(RowData left, Context context, Collector<RowData> out)
      throws Exception {
    Long last = arrivals.value();
    long number = last == null ? 0 : last + 1;
    arrivals.update(number);
    waiting.put(number, left);
    setTimer(context.timerService(), timeOf(left, leftTime));
  }

  @Override
  public void processElement2(RowData right, Context context, Collector<RowData> out)
      throws Exception {
    long time = timeOf(right, rightTime);
    versions.put(time, right);
    setTimer(context.timerService(), time);
  }

  @Override
  public void onTimer(long time, OnTimerContext context, Collector<RowData> out) throws Exception {
    long watermark = context.timerService().currentWatermark();
    TreeMap<Long, RowData> history = sorted(versions);
    timer.clear();
    Long nextLeft = emit(watermark, history, out);
    if (nextLeft != null) {
      setTimer(context.timerService(), nextLeft);
    }
    removeSuperseded(watermark, history);
    Long nextRight = history.higherKey(watermark);
    if (nextRight != null) {
      setTimer(context.timerService(), nextRight);
    }
  }

  /**
   * Emits and removes the waiting rows up to the watermark.
   *
   * @return the earliest time of a row that still waits, or null if none does
   */
  private Long emit(long watermark, TreeMap<Long, RowData> history, Collector<RowData> out)
      throws Exception {
    Long next = null;
    for (Map.Entry<Long, RowData> arrival : sorted(waiting).entrySet()) {
      RowData left = arrival.getValue();
      long time = timeOf(left, leftTime);
      if (time > watermark) {
        next = next == null ? time : Math.min(next, time);
        continue;
      }
      Map.Entry<Long, RowData> version = history.floorEntry(time);
      joined.replace(left, version == null ? nulls : version.getValue());
      joined.setRowKind(left.getRowKind());
      out.collect(joined);
      waiting.remove(arrival.getKey());
    }
    if (next == null) {
      arrivals.clear();
    }
    return next;
  }

  /** Removes the right rows that are earlier than the latest one at or before the watermark. */
  private void removeSuperseded(long watermark, TreeMap<Long, RowData> history) throws Exception {
    Long latest = history.floorKey(watermark);
    if (latest != null) {
      for (long time : history.headMap(latest).keySet()) {
        versions.remove(time);
      }
    }
  }

  /** Sets the timer of the current key to {@code time}, unless it is set to an earlier time. */
  private void setTimer(TimerService timers, long time) throws Exception {
    Long current = timer.value();
    if (current != null && current <= time) {
      return;
    }
    if (current != null) {
      timers.deleteEventTimeTimer(current);
    }
    timers.registerEventTimeTimer(time);
    timer.update(time);
  }

  private static long timeOf(RowData row, int column) {
    return row.getTimestamp(column, TIME_PRECISION).getMillisecond();
  }

  private static TreeMap<Long, RowData> sorted(MapState<Long, RowData> rows) throws Exception {
    TreeMap<Long, RowData> found = new TreeMap<>();
    for (Map.Entry<Long, RowData> row : rows.entries()) {
      found.put(row.getKey(), row.getValue());
    }
    return found;
  }
}
