// What Flink's operator of OVER windows does with each row under a key; see running.py, which fills in the values.
// No imports and no generics: Flink's compiler (Janino) takes the text as it takes the planner's.
public class RunningValues implements org.apache.flink.table.runtime.generated.AggsHandleFunction {
  private final long[] starts = new long[] {$starts};
  private final long[] now = new long[$kept];
  private final byte[] packed = new byte[10 * $kept];
  private final org.apache.flink.table.data.binary.BinaryRowData told = zeros($told);
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
      told.setLong(at, now[at]);
    }
    return told;
  }

  private static org.apache.flink.table.data.binary.BinaryRowData zeros(int columns) {
    org.apache.flink.table.data.binary.BinaryRowData row =
        new org.apache.flink.table.data.binary.BinaryRowData(columns);
    org.apache.flink.table.data.writer.BinaryRowWriter writer =
        new org.apache.flink.table.data.writer.BinaryRowWriter(row);
    for (int at = 0; at < columns; at++) {
      writer.writeLong(at, 0L);
    }
    writer.complete();
    return row;
  }

  // What is kept: how far each value is from its start, seven bits a byte, the sign in the lowest. Most are at their start.
  public org.apache.flink.table.data.RowData getAccumulators() {
    int size = 0;
    for (int at = 0; at < $kept; at++) {
      long distance = now[at] - starts[at];
      long left = (distance << 1) ^ (distance >> 63);
      while ((left & ~127L) != 0L) {
        packed[size++] = (byte) (left | 128L);
        left >>>= 7;
      }
      packed[size++] = (byte) left;
    }
    return org.apache.flink.table.data.GenericRowData.of(new Object[] {java.util.Arrays.copyOf(packed, size)});
  }

  public void setAccumulators(org.apache.flink.table.data.RowData accumulators) {
    byte[] kept = accumulators.getBinary(0);
    int next = 0;
    for (int at = 0; at < $kept; at++) {
      long read = 0L;
      int shift = 0;
      while (kept[next] < 0) {
        read |= (kept[next++] & 127L) << shift;
        shift += 7;
      }
      read |= (long) kept[next++] << shift;
      now[at] = starts[at] + ((read >>> 1) ^ -(read & 1L));
    }
  }

  public org.apache.flink.table.data.RowData createAccumulators() {
    return org.apache.flink.table.data.GenericRowData.of(new Object[] {new byte[$kept]});
  }

  public void resetAccumulators() {
    setAccumulators(createAccumulators());
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
