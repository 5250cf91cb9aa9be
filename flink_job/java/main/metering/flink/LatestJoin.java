package metering.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Left join in processing time: joins each left row with the latest right row of the same key that
 * has arrived, or with NULLs if there is none.
 *
 * <p>The columns of the right input are a key (STRING), a value (STRING), a version
 * (TIMESTAMP_LTZ(3)), a position (STRING) that orders the rows of one version (see {@link
 * VersionOrder}), and the arrival (TIMESTAMP_LTZ(3)). A right row that is older than the stored row
 * is dropped. An emitted row has the row kind and the columns of the left row, followed by the
 * columns of the right row.
 *
 * <p>At every start, left rows wait until the right input has been read up to its head, so that no
 * row is joined with a right row that had been replaced before. The head is reached when the
 * watermark of the right input (see {@link HeadWatermarks}) reaches the time of the start. From
 * then on left rows are not delayed. The waiting rows are emitted in the order of their times.
 *
 * <p>The side output {@link #updates} has a row for each key once the head is reached, and for each
 * right row that is stored later: the key, the value, and the value before it or NULL. A restored
 * operator also emits a row that replaces one before the head is reached: so what has followed from
 * the value before can be undone.
 *
 * <p>State, none with a TTL:
 *
 * <ul>
 *   <li>{@code latest}, by key: the latest right row;
 *   <li>{@code waiting}, by key and time: left rows, until the head is reached, and their timers;
 *   <li>{@code snapshot-read}, a union list: not empty if the operator has read its snapshot.
 * </ul>
 *
 * <p>An operator that starts without state reads a {@link Snapshot} of the right input into {@code
 * latest} before it processes any row. A restored operator does not read it, at any parallelism. If
 * the snapshot is complete, the head counts as reached from the start.
 *
 * <p>This is an operator and not a {@code KeyedCoProcessFunction} because a function can write
 * keyed state only while it processes a row.
 *
 * <p>Rows are stored as they arrive. With object reuse, the inputs must come from a network
 * exchange, as after any {@code keyBy}.
 */
public final class LatestJoin extends AbstractStreamOperator<RowData>
    implements TwoInputStreamOperator<RowData, RowData, RowData>, Triggerable<RowData, Long> {

  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(LatestJoin.class);
  private static final int RIGHT_COLUMNS = 5;
  private static final int VALUE = 1;
  private static final int VERSION = 2;
  private static final int TIME_PRECISION = 3;

  private final TypeInformation<RowData> leftType;
  private final int leftTime;
  private final TypeInformation<RowData> rightType;
  private final KeySelector<RowData, RowData> rightKey;
  private final Snapshot snapshot;
  private final boolean isComplete;
  private final OutputTag<RowData> updates =
      new OutputTag<>(
          "updates",
          InternalTypeInfo.of(
              RowType.of(
                  new LogicalType[] {
                    VarCharType.STRING_TYPE,
                    VarCharType.STRING_TYPE,
                    VarCharType.STRING_TYPE,
                    new LocalZonedTimestampType(TIME_PRECISION)
                  },
                  new String[] {"updated_key", "latest", "previous", "updated_version"})));

  private transient ValueState<RowData> latest;
  private transient InternalTimerService<Long> timers;
  private transient ListState<Boolean> snapshotRead;
  private transient JoinedRowData joined;
  private transient RowData nulls;
  private transient long startedMs;
  private transient boolean isAtHead;
  private transient boolean isRestored;

  /**
   * Creates a join.
   *
   * @param leftType type of the left rows
   * @param leftTime position of their time, TIMESTAMP_LTZ(3)
   * @param rightType type of the right rows
   * @param rightKey key selector of the right input
   * @param snapshot right rows to start with
   * @param isComplete whether the snapshot has all right rows
   */
  public LatestJoin(
      TypeInformation<RowData> leftType,
      int leftTime,
      TypeInformation<RowData> rightType,
      KeySelector<RowData, RowData> rightKey,
      Snapshot snapshot,
      boolean isComplete) {
    this.leftType = leftType;
    this.leftTime = leftTime;
    this.rightType = rightType;
    this.rightKey = rightKey;
    this.snapshot = snapshot;
    this.isComplete = isComplete;
  }

  /** Returns the side output of updates: key, value, previous value (STRING), version. */
  public OutputTag<RowData> updates() {
    return updates;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    latest = context.getKeyedStateStore().getState(latestState());
    // Not isRestored(): a savepoint from which a job is restored may have no state of this
    // operator.
    snapshotRead =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("snapshot-read", Types.BOOLEAN));
    isRestored = snapshotRead.get().iterator().hasNext();
    if (!isRestored) {
      readSnapshot();
    }
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    snapshotRead.clear();
    snapshotRead.add(true);
  }

  @Override
  public void open() throws Exception {
    super.open();
    joined = new JoinedRowData();
    nulls = new GenericRowData(RIGHT_COLUMNS);
    timers = getInternalTimerService("waiting", LongSerializer.INSTANCE, this);
    startedMs = getProcessingTimeService().getCurrentProcessingTime();
    isAtHead = false;
  }

  @Override
  public void processElement1(StreamRecord<RowData> element) throws Exception {
    if (!isAtHead) {
      if (!isComplete) {
        wait(element.getValue());
        return;
      }
      reachHead();
      setKeyContextElement1(element);
    }
    output.collect(element.replace(join(element.getValue(), latest.value())));
  }

  @Override
  public void processElement2(StreamRecord<RowData> element) throws Exception {
    RowData before = latest.value();
    boolean isNews = isAtHead || (isRestored && before != null);
    if (store(element.getValue(), before) && isNews) {
      emitUpdate(element.getValue(), before);
    }
  }

  @Override
  public void processWatermark2(Watermark mark) throws Exception {
    if (isComplete || mark.getTimestamp() >= startedMs) {
      reachHead();
    }
    super.processWatermark2(mark);
  }

  @Override
  public void onEventTime(InternalTimer<RowData, Long> timer) throws Exception {
    ListState<RowData> waiting = waiting(timer.getNamespace());
    RowData right = latest.value();
    for (RowData left : waiting.get()) {
      output.collect(new StreamRecord<>(join(left, right)));
    }
    waiting.clear();
  }

  @Override
  public void onProcessingTime(InternalTimer<RowData, Long> timer) {
    throw new IllegalStateException("A join has no timers in processing time");
  }

  /** Stores a left row until the head is reached. */
  private void wait(RowData left) throws Exception {
    long timeMs = left.getTimestamp(leftTime, TIME_PRECISION).getMillisecond();
    waiting(timeMs).add(left);
    timers.registerEventTimeTimer(timeMs, timeMs);
  }

  /** The left rows of the current key and a time that wait. */
  private ListState<RowData> waiting(long timeMs) throws Exception {
    return getPartitionedState(
        timeMs, LongSerializer.INSTANCE, new ListStateDescriptor<>("waiting", leftType));
  }

  /** Emits the updates and the waiting rows of all keys, once. */
  private void reachHead() throws Exception {
    if (isAtHead) {
      return;
    }
    isAtHead = true;
    KeyedStateBackend<RowData> keys = getKeyedStateBackend();
    keys.applyToAllKeys(
        VoidNamespace.INSTANCE,
        VoidNamespaceSerializer.INSTANCE,
        latestState(),
        (key, state) -> emitUpdate(state.value(), null));
    // The timers of the waiting rows fire in the order of their times.
    getTimeServiceManager()
        .orElseThrow(IllegalStateException::new)
        .advanceWatermark(new Watermark(Long.MAX_VALUE - 1));
    LOG.info("The right input has been read up to its head; left rows no longer wait");
  }

  private RowData join(RowData left, RowData right) {
    joined.replace(left, right == null ? nulls : right);
    joined.setRowKind(left.getRowKind());
    return joined;
  }

  private void emitUpdate(RowData row, RowData previous) {
    output.collect(
        updates,
        new StreamRecord<>(
            GenericRowData.of(
                row.getString(0),
                row.getString(VALUE),
                previous == null ? null : previous.getString(VALUE),
                row.getTimestamp(VERSION, TIME_PRECISION))));
  }

  /** Stores a right row of the current key; returns false if it is older than the stored one. */
  private boolean store(RowData row, RowData stored) throws Exception {
    if (stored != null && VersionOrder.isOlder(row, stored)) {
      return false;
    }
    latest.update(row);
    return true;
  }

  private ValueStateDescriptor<RowData> latestState() {
    return new ValueStateDescriptor<>("latest", rightType);
  }

  private void readSnapshot() throws Exception {
    long rows = snapshot.forEach(this::storeIfOwn);
    LOG.info("Read {} rows of snapshot {}", rows, snapshot);
  }

  /** Stores a row of the snapshot if its key belongs to this subtask. */
  private void storeIfOwn(RowData row) throws Exception {
    RowData key = rightKey.getKey(row);
    if (OwnKeys.has(key, getRuntimeContext().getTaskInfo())) {
      setCurrentKey(key);
      store(row, latest.value());
    }
  }
}
