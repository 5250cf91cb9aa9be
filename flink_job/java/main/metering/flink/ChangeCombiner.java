package metering.flink;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Sums rows of the same key in memory until the next watermark or checkpoint, so that a {@link
 * WindowRollup} of few keys receives few rows: the local half of a two-phase aggregation.
 *
 * <p>Rows have the columns of {@link RollupColumns}; the key should include the slot and the day.
 * An emitted row has the columns of the first row of its key, with the sums, the shortest interval
 * and the latest arrival of all. No state.
 */
public final class ChangeCombiner extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final KeySelector<RowData, RowData> key;
  private final RollupColumns columns;
  private final RowData.FieldGetter[] fields;

  private transient Map<RowData, Combined> combined;

  /**
   * Creates a combiner.
   *
   * @param key selector of keys, each a row of its own
   * @param columns positions of the columns
   * @param fields getters of all columns
   */
  public ChangeCombiner(
      KeySelector<RowData, RowData> key, RollupColumns columns, RowData.FieldGetter[] fields) {
    this.key = key;
    this.columns = columns;
    this.fields = fields;
    chainingStrategy = ChainingStrategy.ALWAYS;
  }

  @Override
  public void open() throws Exception {
    super.open();
    combined = new HashMap<>();
  }

  @Override
  public void processElement(StreamRecord<RowData> element) throws Exception {
    RowData row = element.getValue();
    Combined sums = combined.get(key.getKey(row));
    if (sums == null) {
      sums = new Combined(row, element.getTimestamp());
      combined.put(key.getKey(sums.first), sums);
    }
    sums.add(row);
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    flush();
    super.processWatermark(mark);
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) {
    flush();
  }

  @Override
  public void finish() {
    flush();
  }

  private void flush() {
    for (Combined sums : combined.values()) {
      output.collect(new StreamRecord<>(sums.row(), sums.timestamp));
    }
    combined.clear();
  }

  /** Copies a field out of a row that is reused. */
  private static Object copy(Object field) {
    return field instanceof BinaryStringData ? ((BinaryStringData) field).copy() : field;
  }

  private final class Combined {
    private final GenericRowData first = new GenericRowData(fields.length);
    private final long timestamp;
    private final long[] sums = new long[columns.sums.length];
    private long interval;
    private long arrivalMs;

    Combined(RowData row, long timestamp) {
      for (int at = 0; at < fields.length; at++) {
        first.setField(at, copy(fields[at].getFieldOrNull(row)));
      }
      this.timestamp = timestamp;
    }

    void add(RowData row) {
      for (int at = 0; at < sums.length; at++) {
        sums[at] += columns.sum(row, at);
      }
      interval = RollupColumns.shorter(interval, row.getInt(columns.interval));
      arrivalMs = Math.max(arrivalMs, columns.arrivalMs(row));
    }

    RowData row() {
      for (int at = 0; at < sums.length; at++) {
        first.setField(columns.sums[at], sums[at]);
      }
      first.setField(columns.interval, (int) interval);
      first.setField(
          columns.arrival, arrivalMs == 0 ? null : TimestampData.fromEpochMillis(arrivalMs));
      return first;
    }
  }
}
