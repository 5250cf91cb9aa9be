package metering.flink;

import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;

/**
 * Tags each row late when the watermark has passed the end of its tumbling window, so that the
 * window has been emitted.
 *
 * <p>Flink does not restore watermarks: after a restart they start again, and a window that was
 * emitted before could open a second time. This operator stores the watermark, so a row that was
 * late before a restart is late after it.
 *
 * <p>Adds one column, BOOLEAN NOT NULL. Timestamps and watermarks pass through.
 *
 * <p>State, of the operator (union list): {@code watermark}, the highest of each subtask. A
 * restored subtask continues with the highest of all: a row may then be late although its window is
 * still open, and is never on time for one that was emitted.
 */
public final class LatenessTagger extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final int column;
  private final long windowMs;

  private transient ListState<Long> state;
  private transient long watermark;
  private transient long lastWindowEnd;
  private transient JoinedRowData joined;

  /**
   * Windows of {@code windowMs} milliseconds over the epoch milliseconds in BIGINT column {@code
   * column}.
   */
  public LatenessTagger(int column, long windowMs) {
    this.column = column;
    this.windowMs = windowMs;
    chainingStrategy = ChainingStrategy.ALWAYS;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    state =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("watermark", Types.LONG));
    watermark = Long.MIN_VALUE;
    for (long restored : state.get()) {
      watermark = Math.max(watermark, restored);
    }
    lastWindowEnd = Long.MIN_VALUE;
    joined = new JoinedRowData();
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    state.clear();
    state.add(watermark);
  }

  @Override
  public void processElement(StreamRecord<RowData> record) {
    RowData row = record.getValue();
    long windowEnd = (Math.floorDiv(row.getLong(column), windowMs) + 1) * windowMs - 1;
    lastWindowEnd = Math.max(lastWindowEnd, windowEnd);
    joined.replace(row, GenericRowData.of(windowEnd <= watermark));
    joined.setRowKind(row.getRowKind());
    output.collect(record.replace(joined));
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    // The end of the input closes the windows that there are; rows of later windows are still to
    // come after a restart.
    long reached = mark.equals(Watermark.MAX_WATERMARK) ? lastWindowEnd : mark.getTimestamp();
    watermark = Math.max(watermark, reached);
    super.processWatermark(mark);
  }
}
