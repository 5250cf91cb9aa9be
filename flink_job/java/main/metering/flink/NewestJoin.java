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
 * Joins each row of the left input with the newest row of the right input that has the same key, or with NULLs where
 * there is none.
 *
 * <p>The columns of the right input are a key (STRING), a value (STRING), a version (TIMESTAMP_LTZ(3)), and a position
 * (STRING) that orders the rows of equal versions (see {@link Versions}). A right row that is older than the row that is
 * kept is dropped. The newest row of each key is kept for ever.
 *
 * <p>An operator that has no state reads a {@link Snapshot} of the right input into its state before it takes any row.
 */
public final class NewestJoin extends AbstractStreamOperator<RowData>
    implements TwoInputStreamOperator<RowData, RowData, RowData> {

  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(NewestJoin.class);
  private static final int RIGHT_COLUMNS = 4;

  private final TypeInformation<RowData> rightType;
  private final KeySelector<RowData, RowData> rightKey;
  private final Snapshot snapshot;

  private transient ValueState<RowData> newest;
  private transient ListState<Boolean> started;
  private transient JoinedRowData joined;
  private transient RowData nothing;

  /**
   * @param rightType the type of the rows of the right input
   * @param rightKey the key of such a row, by which both inputs are partitioned
   * @param snapshot rows of the right input to begin with
   */
  public NewestJoin(
      TypeInformation<RowData> rightType, KeySelector<RowData, RowData> rightKey, Snapshot snapshot) {
    this.rightType = rightType;
    this.rightKey = rightKey;
    this.snapshot = snapshot;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    newest = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("newest", rightType));
    // Not isRestored(): a job may be restored from a savepoint in which this operator has no state.
    started = context.getOperatorStateStore()
        .getUnionListState(new ListStateDescriptor<>("started", Types.BOOLEAN));
    if (!started.get().iterator().hasNext()) {
      readSnapshot();
    }
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    started.clear();
    started.add(true);
  }

  @Override
  public void open() throws Exception {
    super.open();
    joined = new JoinedRowData();
    nothing = new GenericRowData(RIGHT_COLUMNS);
  }

  @Override
  public void processElement1(StreamRecord<RowData> element) throws Exception {
    RowData left = element.getValue();
    RowData right = newest.value();
    joined.replace(left, right == null ? nothing : right);
    joined.setRowKind(left.getRowKind());
    output.collect(element.replace(joined));
  }

  @Override
  public void processElement2(StreamRecord<RowData> element) throws Exception {
    keep(element.getValue());
  }

  /** Keeps a row of the current key, unless it is older than the one that is kept. */
  private void keep(RowData row) throws Exception {
    RowData kept = newest.value();
    if (kept == null || !Versions.isOlder(row, kept)) {
      newest.update(row);
    }
  }

  private void readSnapshot() throws Exception {
    long rows = snapshot.forEach(this::keepIfOwn);
    LOG.info("Read {} rows of snapshot {}", rows, snapshot);
  }

  /** Keeps a row of the snapshot, if its key belongs to this subtask. */
  private void keepIfOwn(RowData row) throws Exception {
    RowData key = rightKey.getKey(row);
    int owner = KeyGroupRangeAssignment.assignKeyToParallelOperator(
        key,
        getRuntimeContext().getTaskInfo().getMaxNumberOfParallelSubtasks(),
        getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks());
    if (owner == getRuntimeContext().getTaskInfo().getIndexOfThisSubtask()) {
      setCurrentKey(key);
      keep(row);
    }
  }
}
