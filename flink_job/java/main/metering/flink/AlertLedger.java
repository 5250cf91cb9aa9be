package metering.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.TimeDomain;
import org.apache.flink.streaming.api.TimerService;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.Collector;

/**
 * Ends alerts that were emitted before a crash and that the job does not find again.
 *
 * <p>After a crash the records since the last checkpoint are processed again, perhaps under other
 * rules or in another order. An alert that was emitted in that time may not be found again, so its
 * state machine would never end it. The first input has changes of alerts as the state machines
 * find them, the second one the same columns as they were read back from the stream of alerts,
 * followed by the time at which they were written to it (TIMESTAMP_LTZ(3)). Its position is part of
 * the checkpoint: after a restore exactly the changes that may be unknown are read back. Rows of
 * the second input with an empty alert only advance event time, which is the time of arrival.
 *
 * <p>Changes are emitted as they come. A change that was read back and that the state machines have
 * not found is looked at again once event time has passed its arrival, and then the grace period
 * has passed. If its alert is not open, all unknown changes are emitted again, because a sink may
 * have lost them, and the alert is ended with the reason.
 *
 * <p>Readers tell changes of an alert apart by their number. If the job finds another change under
 * a number that readers know (an end instead of an escalation, or an alert that was ended here),
 * this change and the following ones of the alert get higher numbers.
 *
 * <p>State, by key (alert), with a TTL from the last write in processing time: {@code known}, and
 * {@code unknown}, the changes read back that the job has not found. State of the operator: the
 * time at which the job was started without it; changes written before are not its own.
 */
public final class AlertLedger extends KeyedCoProcessFunction<RowData, RowData, RowData, RowData>
    implements CheckpointedFunction {
  private static final long serialVersionUID = 1L;

  /** No change. */
  private static final long NONE = -1;

  /** Value of the column {@code detail} of the change that ends an alert. */
  static final String NOT_FOUND = "not found again after a restart";

  private final AlertColumns columns;
  private final TypeInformation<RowData> rowType;
  private final long gracePeriodMs;
  private final long ttlMs;

  private transient ValueState<Known> known;
  private transient MapState<Long, RowData> unknown;
  private transient ListState<Long> started;
  private transient long startedMs;
  private transient TypeSerializer<RowData> serializer;

  /** What is known of an alert. */
  public static final class Known {
    /** Number of the last change that was emitted. */
    public long number = NONE;

    /** Whether the alert is open after that change. */
    public boolean isOpen;

    /** What is added to the numbers of the state machines. */
    public long offset;

    /** Number of the last change that was read back. */
    public long readNumber = NONE;

    /** Whether the alert is open after that change. */
    public boolean isReadOpen;

    /** Number of the last change that ended the alert here. */
    public long endedHere = NONE;
  }

  /**
   * Creates the function.
   *
   * @param columns positions of columns in the rows of both inputs
   * @param rowType type of the rows of the first input
   * @param gracePeriodMs time that an unknown change waits after event time has passed its arrival
   * @param ttlMs time after the last change of an alert at which its state expires
   */
  public AlertLedger(
      AlertColumns columns, TypeInformation<RowData> rowType, long gracePeriodMs, long ttlMs) {
    this.columns = columns;
    this.rowType = rowType;
    this.gracePeriodMs = gracePeriodMs;
    this.ttlMs = ttlMs;
  }

  @Override
  public void initializeState(FunctionInitializationContext context) throws Exception {
    started =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("started", Types.LONG));
    startedMs = Long.MAX_VALUE;
    for (long ms : started.get()) {
      startedMs = Math.min(startedMs, ms);
    }
    if (startedMs == Long.MAX_VALUE) {
      startedMs = System.currentTimeMillis();
    }
  }

  @Override
  public void snapshotState(FunctionSnapshotContext context) throws Exception {
    started.update(List.of(startedMs));
  }

  @Override
  public void open(OpenContext openContext) {
    StateTtlConfig ttl = StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs)).build();
    ValueStateDescriptor<Known> ofAlert =
        new ValueStateDescriptor<>("known", Types.POJO(Known.class));
    MapStateDescriptor<Long, RowData> byNumber =
        new MapStateDescriptor<>("unknown", Types.LONG, rowType);
    ofAlert.enableTimeToLive(ttl);
    byNumber.enableTimeToLive(ttl);
    serializer = getRuntimeContext().createSerializer(rowType);
    known = getRuntimeContext().getState(ofAlert);
    unknown = getRuntimeContext().getMapState(byNumber);
  }

  @Override
  public void processElement1(RowData change, Context context, Collector<RowData> out)
      throws Exception {
    Known alert = knownOf();
    boolean isOpen = columns.isOpen(change);
    long number = columns.number(change) + alert.offset;
    if (number <= alert.endedHere || (number == alert.readNumber && isOpen != alert.isReadOpen)) {
      long free = Math.max(alert.readNumber, alert.endedHere) + 1;
      alert.offset += free - number;
      number = free;
    }
    out.collect(alert.offset == 0 ? change : columns.renumbered(change, number));
    alert.number = number;
    alert.isOpen = isOpen;
    forgetUpTo(number);
    if (!isOpen && alert.isReadOpen && number < alert.readNumber) {
      await(context.timerService().currentProcessingTime(), context.timerService());
    }
    store(alert);
  }

  @Override
  public void processElement2(RowData read, Context context, Collector<RowData> out)
      throws Exception {
    if (columns.isClock(read)) {
      return;
    }
    long writtenMs = columns.written(read);
    Known alert = knownOf();
    long number = columns.number(read);
    if (writtenMs < startedMs || number < alert.readNumber) {
      return;
    }
    alert.readNumber = number;
    alert.isReadOpen = columns.isOpen(read);
    if (number > alert.number) {
      unknown.put(number, serializer.copy(columns.change(read)));
      await(Math.min(columns.arrival(read), writtenMs), context.timerService());
    }
    store(alert);
  }

  @Override
  public void onTimer(long time, OnTimerContext context, Collector<RowData> out) throws Exception {
    TimerService timers = context.timerService();
    if (timers.currentWatermark() == Long.MAX_VALUE) {
      return; // the input has ended, and with it what could be found
    }
    Known alert = knownOf();
    if (alert.isOpen || unknown.isEmpty()) {
      return;
    }
    if (context.timeDomain() == TimeDomain.EVENT_TIME) {
      timers.registerProcessingTimeTimer(timers.currentProcessingTime() + gracePeriodMs);
      return;
    }
    end(alert, timers.currentProcessingTime(), out);
  }

  /** Emits the changes that the job has not found, and the end of their alert if it is open. */
  private void end(Known alert, long nowMs, Collector<RowData> out) throws Exception {
    List<Long> numbers = numbers();
    RowData last = unknown.get(numbers.get(numbers.size() - 1));
    for (long each : numbers) {
      out.collect(unknown.get(each));
    }
    alert.number = alert.readNumber;
    if (alert.isReadOpen) {
      alert.number = alert.endedHere = alert.readNumber + 1;
      out.collect(columns.ended(last, alert.number, NOT_FOUND, nowMs));
    }
    unknown.clear();
    store(alert);
  }

  /** Looks at the alert again when event time has passed an arrival. */
  private static void await(long arrivalMs, TimerService timers) {
    timers.registerEventTimeTimer(Math.max(arrivalMs, timers.currentWatermark()) + 1);
  }

  private void forgetUpTo(long number) throws Exception {
    if (!unknown.isEmpty()) {
      for (long each : numbers()) {
        if (each <= number) {
          unknown.remove(each);
        }
      }
    }
  }

  /** Returns the numbers of the unknown changes in ascending order. */
  private List<Long> numbers() throws Exception {
    List<Long> numbers = new ArrayList<>();
    unknown.keys().forEach(numbers::add);
    Collections.sort(numbers);
    return numbers;
  }

  private Known knownOf() throws Exception {
    Known alert = known.value();
    return alert == null ? new Known() : alert;
  }

  /** Stores what is known, unless the alert has ended for the job and for readers. */
  private void store(Known alert) throws Exception {
    boolean isOver =
        !alert.isOpen
            && !alert.isReadOpen
            && alert.readNumber >= alert.number
            && alert.endedHere == NONE;
    if (isOver && unknown.isEmpty()) {
      known.clear();
    } else {
      known.update(alert);
    }
  }
}
