// What Flink's operator of OVER windows does with each row under a key; see running.py, which fills in the values.
// No imports and no generics: Flink's compiler (Janino) takes the text as it takes the planner's.
public class RunningValues implements org.apache.flink.table.runtime.generated.AggsHandleFunction {
  private org.apache.flink.table.data.binary.BinaryRowData now;
  private final org.apache.flink.table.data.binary.BinaryRowData told = rowOf(new long[$told]);
  private org.apache.flink.api.common.state.MapState parts;

  public RunningValues(Object[] references) {}

  public void open(org.apache.flink.table.runtime.dataview.StateDataViewStore store) throws Exception {
    if ($has_parts) {
      org.apache.flink.api.common.state.MapStateDescriptor described =
          new org.apache.flink.api.common.state.MapStateDescriptor("parts", Long.class, Long.class);
      described.enableTimeToLive(org.apache.flink.table.runtime.util.StateConfigUtil.createTtlConfig(${kept_ms}L));
      parts = store.getRuntimeContext().getMapState(described);
    }
  }

  public void accumulate(org.apache.flink.table.data.RowData row) throws Exception {
    $before
    $updates
  }

  private long added(long by, long part) throws Exception {
    Object before = parts.get(Long.valueOf(by));
    long sum = part + (before == null ? 0L : ((Long) before).longValue());
    parts.put(Long.valueOf(by), Long.valueOf(sum));
    return Math.max(sum, 0L);
  }

  public org.apache.flink.table.data.RowData getValue() {
    for (int at = 0; at < $kept; at++) {
      told.setLong(at, now.getLong(at));
    }
    return told;
  }

  private static org.apache.flink.table.data.binary.BinaryRowData rowOf(long[] values) {
    org.apache.flink.table.data.binary.BinaryRowData row =
        new org.apache.flink.table.data.binary.BinaryRowData(values.length);
    org.apache.flink.table.data.writer.BinaryRowWriter writer =
        new org.apache.flink.table.data.writer.BinaryRowWriter(row);
    for (int at = 0; at < values.length; at++) {
      writer.writeLong(at, values[at]);
    }
    writer.complete();
    return row;
  }

  public org.apache.flink.table.data.RowData createAccumulators() {
    return rowOf(new long[] {$starts});
  }

  public void setAccumulators(org.apache.flink.table.data.RowData accumulators) {
    now = (org.apache.flink.table.data.binary.BinaryRowData) accumulators;
  }

  public org.apache.flink.table.data.RowData getAccumulators() {
    return now;
  }

  public void resetAccumulators() {
    now = (org.apache.flink.table.data.binary.BinaryRowData) createAccumulators();
  }

  public void retract(org.apache.flink.table.data.RowData row) {
    throw new UnsupportedOperationException("rows are only added");
  }

  public void merge(org.apache.flink.table.data.RowData other) {
    throw new UnsupportedOperationException("rows are only added");
  }

  public void setWindowSize(int size) {}

  public void cleanup() {}

  public void close() {}
}
