package metering.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Running aggregates of the rows of a key: emits each row with the value of every accumulator after
 * it and, for those that request it, before it.
 *
 * <p>An OVER window yields the value after a row; the value before it needs a LAG, a second
 * operator with its own state. Here both come from one state access.
 *
 * <p>Added columns, all BIGINT NOT NULL: the accumulators in the order in which they were declared,
 * then their values before the row.
 *
 * <p>State, by key, with a TTL from the last write in processing time: {@code accumulators}, the
 * values of all accumulators, packed (see {@link PackedLongs}).
 *
 * <p>After a restore the aggregates continue. The packed values have no names: accumulators must be
 * declared as they were when the state was written.
 */
public final class KeyedAggregate extends KeyedProcessFunction<RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final long ttlMs;
  private final List<Accumulator> accumulators = new ArrayList<>();
  private final List<Integer> emittedBefore = new ArrayList<>();

  private transient ValueState<byte[]> state;
  private transient PackedLongs packing;
  private transient long[] values;
  private transient GenericRowData added;
  private transient JoinedRowData joined;

  /** Creates an aggregate whose state expires {@code ttlMs} milliseconds after a key's last row. */
  public KeyedAggregate(long ttlMs) {
    this.ttlMs = ttlMs;
  }

  /**
   * Declares an accumulator.
   *
   * @param kind MAX, SUM or COUNT
   * @param column BIGINT column; rows in which it is NULL are ignored. -2 for no column (COUNT)
   * @param start the value before the first row
   * @param emitsBefore whether the value before each row is emitted as well
   * @param filterColumn INT column; rows in which it is not {@code filterValue} are ignored. -2 for
   *     no filter
   * @param filterValue see {@code filterColumn}
   */
  public KeyedAggregate accumulate(
      String kind, int column, long start, boolean emitsBefore, int filterColumn, int filterValue) {
    if (emitsBefore) {
      emittedBefore.add(accumulators.size());
    }
    accumulators.add(
        new Accumulator(Accumulator.Kind.valueOf(kind), column, start, filterColumn, filterValue));
    return this;
  }

  /** The number of columns added to a row. */
  public int addedColumns() {
    return accumulators.size() + emittedBefore.size();
  }

  @Override
  public void open(OpenContext openContext) {
    StateTtlConfig ttl = StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs)).build();
    ValueStateDescriptor<byte[]> packed =
        new ValueStateDescriptor<>(
            "accumulators", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    packed.enableTimeToLive(ttl);
    state = getRuntimeContext().getState(packed);
    packing = new PackedLongs(accumulators.stream().mapToLong(each -> each.start).toArray());
    values = new long[accumulators.size()];
    added = new GenericRowData(addedColumns());
    joined = new JoinedRowData();
  }

  @Override
  public void processElement(RowData row, Context context, Collector<RowData> out)
      throws Exception {
    packing.unpack(state.value(), values);
    int at = values.length;
    for (int before : emittedBefore) {
      added.setField(at++, values[before]);
    }
    for (int index = 0; index < values.length; index++) {
      values[index] = accumulators.get(index).updated(values[index], row);
    }
    for (int index = 0; index < values.length; index++) {
      added.setField(index, values[index]);
    }
    state.update(packing.pack(values));
    joined.setRowKind(row.getRowKind());
    out.collect(joined.replace(row, added));
  }
}
