package metering.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.TimerService;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.util.Collector;

/**
 * Detects entities that stop reporting, that report again, and that are no longer there.
 *
 * <p>The first input has arrivals: key, path and tags (STRING) of an entity, and the time of
 * arrival (TIMESTAMP_LTZ(3)), which is event time. A row with an empty key only advances it. The
 * second input has the members of entities: key, path, tags, the name of the member, and what it
 * did (STRING): {@code joined}, {@code watched} (joined, and the entity is watched even if nothing
 * ever arrives), or {@code left}. The watermarks of the second input must not hold back those of
 * the first. A key is a letter, which separates kinds of entities, and the name of the entity.
 *
 * <p>Emitted are name, path, tags, kind (STRING), time, and the time before or -1 (BIGINT, epoch
 * ms):
 *
 * <ul>
 *   <li>{@code stopped}: nothing has arrived for the silence. The time is that of the last arrival;
 *       if nothing has ever arrived, the watermark from which on the entity was watched;
 *   <li>{@code resumed}: an arrival after a longer time than the silence, with the one before it;
 *   <li>{@code moved}: path or tags have changed, or an entity that was gone is there again;
 *   <li>{@code gone}: the last member has left. Arrivals are ignored until a member joins.
 * </ul>
 *
 * <p>{@code stopped} is emitted again when a member of an entity that has stopped is watched, as at
 * every start. At the end of a bounded input nothing has stopped.
 *
 * <p>State, by key, none with a TTL:
 *
 * <ul>
 *   <li>{@code members}: names;
 *   <li>{@code place}: path, tags, and whether the entity is gone;
 *   <li>{@code last}: time of the last arrival, and whether the entity has stopped. There is a
 *       timer while it has not.
 * </ul>
 */
public final class Presence extends KeyedCoProcessFunction<RowData, RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;
  private static final int KEY = 0;
  private static final int PATH = 1;
  private static final int TAGS = 2;
  private static final int ARRIVAL = 3;
  private static final int MEMBER = 3;
  private static final int ACTION = 4;
  private static final int TIME_PRECISION = 3;

  /** Last arrival of an entity that is watched from the first watermark on. */
  private static final long NOT_YET = Long.MIN_VALUE;

  private final long silenceMs;

  private transient MapState<String, Boolean> members;
  private transient ValueState<Tuple3<String, String, Boolean>> place;
  private transient ValueState<Tuple2<Long, Boolean>> last;

  /**
   * Creates the function.
   *
   * @param silenceMs time without arrivals after which an entity has stopped
   */
  public Presence(long silenceMs) {
    this.silenceMs = silenceMs;
  }

  @Override
  public void open(OpenContext openContext) {
    members =
        getRuntimeContext()
            .getMapState(new MapStateDescriptor<>("members", Types.STRING, Types.BOOLEAN));
    place =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>(
                    "place", Types.TUPLE(Types.STRING, Types.STRING, Types.BOOLEAN)));
    last =
        getRuntimeContext()
            .getState(new ValueStateDescriptor<>("last", Types.TUPLE(Types.LONG, Types.BOOLEAN)));
  }

  @Override
  public void processElement1(RowData arrival, Context context, Collector<RowData> out)
      throws Exception {
    if (((BinaryStringData) arrival.getString(KEY)).getSizeInBytes() == 0) {
      return;
    }
    long atMs = arrival.getTimestamp(ARRIVAL, TIME_PRECISION).getMillisecond();
    Tuple2<Long, Boolean> known = last.value();
    if (known == null) {
      arriveFirst(arrival, atMs, context.timerService());
    } else if (atMs > known.f0) {
      boolean stopped = known.f1;
      if (stopped || (known.f0 != NOT_YET && atMs - known.f0 > silenceMs)) {
        emit(out, context.getCurrentKey(), "resumed", atMs, known.f0);
      }
      last.update(Tuple2.of(atMs, false));
      if (stopped) {
        context.timerService().registerEventTimeTimer(atMs + silenceMs);
      }
    }
  }

  @Override
  public void processElement2(RowData mark, Context context, Collector<RowData> out)
      throws Exception {
    String member = mark.getString(MEMBER).toString();
    String action = mark.getString(ACTION).toString();
    if (action.equals("left")) {
      leave(mark, member, context, out);
      return;
    }
    if (!members.contains(member)) {
      members.put(member, true);
    }
    Tuple3<String, String, Boolean> now = placeOf(mark, false);
    Tuple3<String, String, Boolean> before = place.value();
    if (!now.equals(before)) {
      place.update(now);
      if (before != null) {
        emit(out, context.getCurrentKey(), "moved", nowMs(context.timerService()), -1);
      }
    }
    if (action.equals("watched")) {
      watch(context, out);
    }
  }

  @Override
  public void onTimer(long time, OnTimerContext context, Collector<RowData> out) throws Exception {
    Tuple2<Long, Boolean> known = last.value();
    if (known == null || known.f1) {
      return;
    }
    long watermark = context.timerService().currentWatermark();
    if (watermark >= Long.MAX_VALUE - 1) {
      last.clear(); // the input has ended; there will be no timer
      return;
    }
    long sinceMs = known.f0 == NOT_YET ? watermark : known.f0;
    boolean stopped = sinceMs + silenceMs <= time;
    last.update(Tuple2.of(sinceMs, stopped));
    if (stopped) {
      emit(out, context.getCurrentKey(), "stopped", sinceMs, -1);
    } else {
      context.timerService().registerEventTimeTimer(sinceMs + silenceMs);
    }
  }

  /** Processes the first arrival of an entity, unless the entity is gone. */
  private void arriveFirst(RowData arrival, long atMs, TimerService timers) throws Exception {
    Tuple3<String, String, Boolean> known = place.value();
    if (known == null) {
      place.update(placeOf(arrival, false));
    } else if (known.f2) {
      return;
    }
    last.update(Tuple2.of(atMs, false));
    timers.registerEventTimeTimer(atMs + silenceMs);
  }

  /** Watches an entity of which nothing has arrived; emits again one that has stopped. */
  private void watch(Context context, Collector<RowData> out) throws Exception {
    Tuple2<Long, Boolean> known = last.value();
    if (known == null) {
      long watermark = context.timerService().currentWatermark();
      last.update(Tuple2.of(watermark, false)); // NOT_YET if there is no watermark
      context
          .timerService()
          .registerEventTimeTimer(watermark == NOT_YET ? NOT_YET + 1 : watermark + silenceMs);
    } else if (known.f1) {
      emit(out, context.getCurrentKey(), "stopped", known.f0, -1);
    }
  }

  /** Removes a member; without members, an entity is gone. */
  private void leave(RowData mark, String member, Context context, Collector<RowData> out)
      throws Exception {
    members.remove(member);
    if (members.isEmpty()) {
      place.update(placeOf(mark, true));
      last.clear();
      emit(out, context.getCurrentKey(), "gone", nowMs(context.timerService()), -1);
    }
  }

  private void emit(Collector<RowData> out, RowData key, String kind, long ms, long beforeMs)
      throws Exception {
    Tuple3<String, String, Boolean> at = place.value();
    out.collect(
        GenericRowData.of(
            StringData.fromString(key.getString(0).toString().substring(1)),
            StringData.fromString(at.f0),
            StringData.fromString(at.f1),
            StringData.fromString(kind),
            ms,
            beforeMs));
  }

  private static Tuple3<String, String, Boolean> placeOf(RowData row, boolean isGone) {
    return Tuple3.of(row.getString(PATH).toString(), row.getString(TAGS).toString(), isGone);
  }

  /** Returns the watermark or, before the first one, the processing time. */
  private static long nowMs(TimerService timers) {
    long watermark = timers.currentWatermark();
    return watermark > 0 && watermark < Long.MAX_VALUE - 1
        ? watermark
        : timers.currentProcessingTime();
  }
}
