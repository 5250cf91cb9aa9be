package metering.flink;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Sums rows below the same path in memory until the next watermark or checkpoint, so that a {@link
 * WindowRollup} of few keys receives few rows: the local half of a two-phase aggregation.
 *
 * <p>Rows have the columns of {@link RollupColumns} and a path (STRING). The key is the first parts
 * of the path, start, start of the day, and other columns (STRING). An emitted row has the columns
 * of the first row of its key, with the first parts of the path, the sums, the shortest interval
 * and the latest arrival of all. No state.
 */
public final class ChangeCombiner extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private static final byte SEPARATOR = '/';

  private final int path;
  private final int depth;
  private final int[] others;
  private final RollupColumns columns;
  private final RowData.FieldGetter[] fields;

  private transient Map<List<Object>, Combined> combined;

  /**
   * Creates a combiner.
   *
   * @param path position of the path
   * @param depth number of its first parts that are part of the key
   * @param others positions of the other columns of the key
   * @param columns positions of the columns
   * @param fields getters of all columns
   */
  public ChangeCombiner(
      int path, int depth, int[] others, RollupColumns columns, RowData.FieldGetter[] fields) {
    this.path = path;
    this.depth = depth;
    this.others = others;
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
    StringData prefix = prefix(row.getString(path), depth);
    Combined sums = combined.get(key(prefix, row));
    if (sums == null) {
      sums = new Combined(row, prefix, element.getTimestamp());
      combined.put(key(sums.first.getString(path), sums.first), sums);
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

  private List<Object> key(StringData prefix, RowData row) {
    Object[] key = new Object[others.length + 3];
    key[0] = prefix;
    key[1] = row.getLong(columns.start);
    key[2] = row.getLong(columns.dayStart);
    for (int at = 0; at < others.length; at++) {
      key[at + 3] = row.getString(others[at]);
    }
    return Arrays.asList(key);
  }

  /** Returns the first parts of a path; all if it has fewer. */
  static StringData prefix(StringData path, int depth) {
    byte[] bytes = path.toBytes();
    int parts = 0;
    for (int at = 0; at < bytes.length; at++) {
      if (bytes[at] == SEPARATOR && ++parts == depth) {
        return StringData.fromBytes(bytes, 0, at);
      }
    }
    return StringData.fromBytes(bytes);
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

    Combined(RowData row, StringData prefix, long timestamp) {
      for (int at = 0; at < fields.length; at++) {
        first.setField(at, copy(fields[at].getFieldOrNull(row)));
      }
      first.setField(path, prefix);
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
