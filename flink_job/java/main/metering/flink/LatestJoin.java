package metering.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Left join in processing time: joins each left row with the latest right row of the same key that
 * has arrived, or with NULLs if there is none.
 *
 * <p>The columns of the right input are a key (STRING), a value (STRING), a version
 * (TIMESTAMP_LTZ(3)) and a position (STRING) that orders the rows of one version (see {@link
 * VersionOrder}). A right row that is older than the stored row is dropped. An emitted row has the
 * row kind and the columns of the left row, followed by the columns of the right row. Left rows are
 * not delayed and keep their order.
 *
 * <p>State, none with a TTL:
 *
 * <ul>
 *   <li>{@code latest}, by key: the latest right row;
 *   <li>{@code snapshot-read}, a union list: not empty if the operator has read its snapshot.
 * </ul>
 *
 * <p>An operator that starts without state reads a {@link Snapshot} of the right input into {@code
 * latest} before it processes any row. A restored operator does not read it, at any parallelism.
 *
 * <p>This is an operator and not a {@code KeyedCoProcessFunction} because a function can write
 * keyed state only while it processes a row.
 *
 * <p>Rows are stored as they arrive. With object reuse, the inputs must come from a network
 * exchange, as after any {@code keyBy}.
 */
public final class LatestJoin extends AbstractStreamOperator<RowData>
    implements TwoInputStreamOperator<RowData, RowData, RowData> {

  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(LatestJoin.class);
  private static final int RIGHT_COLUMNS = 4;

  private final TypeInformation<RowData> rightType;
  private final KeySelector<RowData, RowData> rightKey;
  private final Snapshot snapshot;

  private transient ValueState<RowData> latest;
  private transient ListState<Boolean> snapshotRead;
  private transient JoinedRowData joined;
  private transient RowData nulls;

  /**
   * Creates a join.
   *
   * @param rightType type of the right rows
   * @param rightKey key selector of the right input
   * @param snapshot right rows to start with
   */
  public LatestJoin(
      TypeInformation<RowData> rightType,
      KeySelector<RowData, RowData> rightKey,
      Snapshot snapshot) {
    this.rightType = rightType;
    this.rightKey = rightKey;
    this.snapshot = snapshot;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    latest = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("latest", rightType));
    // Not isRestored(): a savepoint from which a job is restored may have no state of this
    // operator.
    snapshotRead =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("snapshot-read", Types.BOOLEAN));
    if (!snapshotRead.get().iterator().hasNext()) {
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
  }

  @Override
  public void processElement1(StreamRecord<RowData> element) throws Exception {
    RowData left = element.getValue();
    RowData right = latest.value();
    joined.replace(left, right == null ? nulls : right);
    joined.setRowKind(left.getRowKind());
    output.collect(element.replace(joined));
  }

  @Override
  public void processElement2(StreamRecord<RowData> element) throws Exception {
    store(element.getValue());
  }

  /** Stores a right row of the current key, unless it is older than the stored one. */
  private void store(RowData row) throws Exception {
    RowData stored = latest.value();
    if (stored == null || !VersionOrder.isOlder(row, stored)) {
      latest.update(row);
    }
  }

  private void readSnapshot() throws Exception {
    long rows = snapshot.forEach(this::storeIfOwn);
    LOG.info("Read {} rows of snapshot {}", rows, snapshot);
  }

  /** Stores a row of the snapshot if its key belongs to this subtask. */
  private void storeIfOwn(RowData row) throws Exception {
    RowData key = rightKey.getKey(row);
    int owner =
        KeyGroupRangeAssignment.assignKeyToParallelOperator(
            key,
            getRuntimeContext().getTaskInfo().getMaxNumberOfParallelSubtasks(),
            getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks());
    if (owner == getRuntimeContext().getTaskInfo().getIndexOfThisSubtask()) {
      setCurrentKey(key);
      store(row);
    }
  }
}
