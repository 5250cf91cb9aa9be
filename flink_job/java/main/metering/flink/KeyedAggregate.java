package metering.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Running aggregates of the rows under a key: emits each row with the value of every accumulator after it and, for those
 * that ask for it, before it.
 *
 * <p>An OVER window gives the value after a row only; the value before it needs a LAG and with it a second operator and a
 * second state. Here one access to state does both.
 *
 * <p>The columns added to a row, all BIGINT NOT NULL: the accumulators in the order in which they were declared, then their
 * values before the row, then the row's part if {@link #withParts} was called.
 *
 * <p>State, by key, each removed when it has not been written for the time to live: {@code accumulators}, packed (see {@link
 * PackedLongs}); {@code parts}, a sum for each value of a further column.
 */
public final class KeyedAggregate extends KeyedProcessFunction<RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final long ttlMs;
  private final List<Accumulator> accumulators = new ArrayList<>();
  private final List<Integer> emittedBefore = new ArrayList<>();
  private boolean hasParts;
  private int wholeColumn;
  private int partColumn;
  private int groupColumn;

  private transient ValueState<byte[]> state;
  private transient MapState<Long, Long> parts;
  private transient PackedLongs packing;
  private transient long[] values;
  private transient GenericRowData added;
  private transient JoinedRowData joined;

  /** An aggregate whose state is removed when a key has had no row for {@code ttlMs} milliseconds. */
  public KeyedAggregate(long ttlMs) {
    this.ttlMs = ttlMs;
  }

  /**
   * Declare the row's part: BIGINT column {@code whole}, or where that is NULL the sum of {@code part} over the rows of the
   * key with the same value of {@code group} (both BIGINT NOT NULL), at least 0.
   */
  public KeyedAggregate withParts(int whole, int part, int group) {
    hasParts = true;
    wholeColumn = whole;
    partColumn = part;
    groupColumn = group;
    return this;
  }

  /**
   * Declare an accumulator.
   *
   * @param kind MAX, SUM or COUNT
   * @param column BIGINT column; rows in which it is NULL change nothing. -1 for the row's part, -2 for none (COUNT)
   * @param start the value before the first row
   * @param emitsBefore whether the value before the row is emitted as well
   * @param filterColumn INT column; only rows in which it is {@code filterValue} count. -2 for all rows
   */
  public KeyedAggregate accumulate(
      String kind, int column, long start, boolean emitsBefore, int filterColumn, int filterValue) {
    if (emitsBefore) {
      emittedBefore.add(accumulators.size());
    }
    accumulators.add(new Accumulator(Accumulator.Kind.valueOf(kind), column, start, filterColumn, filterValue));
    return this;
  }

  /** The number of columns added to a row. */
  public int addedColumns() {
    return accumulators.size() + emittedBefore.size() + (hasParts ? 1 : 0);
  }

  @Override
  public void open(OpenContext openContext) {
    StateTtlConfig ttl = StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs)).build();
    ValueStateDescriptor<byte[]> packed =
        new ValueStateDescriptor<>("accumulators", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    packed.enableTimeToLive(ttl);
    state = getRuntimeContext().getState(packed);
    if (hasParts) {
      MapStateDescriptor<Long, Long> sums = new MapStateDescriptor<>("parts", Types.LONG, Types.LONG);
      sums.enableTimeToLive(ttl);
      parts = getRuntimeContext().getMapState(sums);
    }
    packing = new PackedLongs(accumulators.stream().mapToLong(each -> each.start).toArray());
    values = new long[accumulators.size()];
    added = new GenericRowData(addedColumns());
    joined = new JoinedRowData();
  }

  @Override
  public void processElement(RowData row, Context context, Collector<RowData> out) throws Exception {
    packing.unpack(state.value(), values);
    int at = values.length;
    for (int before : emittedBefore) {
      added.setField(at++, values[before]);
    }
    long part = 0;
    if (hasParts) {
      part = part(row);
      added.setField(at, part);
    }
    for (int index = 0; index < values.length; index++) {
      values[index] = accumulators.get(index).updated(values[index], row, part);
      added.setField(index, values[index]);
    }
    state.update(packing.pack(values));
    joined.setRowKind(row.getRowKind());
    out.collect(joined.replace(row, added));
  }

  private long part(RowData row) throws Exception {
    if (!row.isNullAt(wholeColumn)) {
      return row.getLong(wholeColumn);
    }
    Long group = row.getLong(groupColumn);
    Long before = parts.get(group);
    long sum = row.getLong(partColumn) + (before == null ? 0 : before);
    parts.put(group, sum);
    return Math.max(sum, 0);
  }
}
