package metering.flink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
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
 * Applies to the state of a key the updates that a row lists, and emits the row with the state
 * after and before it. Which updates a row has is data: keys may have different numbers of values.
 *
 * <p>The state of a key is a list of long values, the slots, which start at 0, and sums by group. A
 * row has quantities, each with its value after and before the row, and a program: BYTES with
 * {@link VarLongs}, the number of slots that are emitted, then operations with their arguments. The
 * operations work on a current pair of values, after and before the row:
 *
 * <ul>
 *   <li>{@code TAKE quantity}: the current pair is the quantity;
 *   <li>{@code PART quantity from to length}: the share of the quantity in [from, to) if it is
 *       spread evenly over length; the shares of adjoining parts add up to the quantity;
 *   <li>{@code SCALE numerator denominator}: the current pair times a ratio, rounded down;
 *   <li>{@code GROUP family instant}: adds the current change to a sum; the pair is that sum;
 *   <li>{@code ADD slot}: adds the current change to a slot;
 *   <li>{@code MAX slot}: raises a slot to the current value;
 *   <li>{@code SHOW}: raises the shown value of the row to the current value.
 * </ul>
 *
 * <p>Added columns: the slots after the row, then the slots before it (BYTES NOT NULL, 8 bytes
 * each, little-endian), and the shown value (BIGINT NOT NULL, at least 0).
 *
 * <p>State, by key, with a TTL from the last write in processing time: {@code slots}, packed, and
 * {@code groups}, the sums by (instant, family).
 */
public final class KeyedUpdates extends KeyedProcessFunction<RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;

  // Codes of the operations, those of Operation in flink_job/tariffs/updates.py.
  static final int TAKE = 1;
  static final int PART = 2;
  static final int SCALE = 3;
  static final int GROUP = 4;
  static final int ADD = 5;
  static final int MAX = 6;
  static final int SHOW = 7;

  private final long ttlMs;
  private final int programColumn;
  private final int[] afterColumns;
  private final int[] deltaColumns;

  private transient ValueState<byte[]> state;
  private transient MapState<Long, Long> groups;
  private transient VarLongs program;
  private transient VarLongs packed;
  private transient long[] slots;
  private transient int used;
  private transient long before;
  private transient long after;
  private transient GenericRowData added;
  private transient JoinedRowData joined;

  /**
   * Creates the function.
   *
   * @param ttlMs time after a key's last row at which its state expires
   * @param program position of the program (BYTES NOT NULL)
   * @param after positions of the quantities after the row (BIGINT NOT NULL)
   * @param delta positions of the changes of the quantities by the row (BIGINT NOT NULL)
   */
  public KeyedUpdates(long ttlMs, int program, int[] after, int[] delta) {
    this.ttlMs = ttlMs;
    this.programColumn = program;
    this.afterColumns = after;
    this.deltaColumns = delta;
  }

  @Override
  public void open(OpenContext openContext) {
    StateTtlConfig ttl = StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs)).build();
    ValueStateDescriptor<byte[]> values =
        new ValueStateDescriptor<>("slots", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
    values.enableTimeToLive(ttl);
    state = getRuntimeContext().getState(values);
    MapStateDescriptor<Long, Long> sums =
        new MapStateDescriptor<>("groups", Types.LONG, Types.LONG);
    sums.enableTimeToLive(ttl);
    groups = getRuntimeContext().getMapState(sums);
    program = new VarLongs();
    packed = new VarLongs();
    slots = new long[16];
    added = new GenericRowData(2);
    joined = new JoinedRowData();
  }

  @Override
  public void processElement(RowData row, Context context, Collector<RowData> out)
      throws Exception {
    program.read(row.getBinary(programColumn));
    int width = (int) program.next();
    load(width);
    ByteBuffer emitted = ByteBuffer.allocate(16 * width).order(ByteOrder.LITTLE_ENDIAN);
    write(emitted, 8 * width, width);
    added.setField(1, apply(row));
    write(emitted, 0, width);
    added.setField(0, emitted.array());
    store();
    joined.setRowKind(row.getRowKind());
    out.collect(joined.replace(row, added));
  }

  /** Runs the program; returns the shown value. */
  private long apply(RowData row) throws Exception {
    long shown = 0;
    while (program.hasNext()) {
      int operation = (int) program.next();
      switch (operation) {
        case TAKE:
          take(row, (int) program.next());
          break;
        case PART:
          take(row, (int) program.next());
          part(program.next(), program.next(), program.next());
          break;
        case SCALE:
          scale(program.next(), program.next());
          break;
        case GROUP:
          group(program.next(), program.next());
          break;
        case ADD:
          slots[(int) program.next()] += after - before;
          break;
        case MAX:
          raise((int) program.next());
          break;
        case SHOW:
          shown = Math.max(shown, after);
          break;
        default:
          throw new IllegalStateException("unknown operation " + operation);
      }
    }
    return shown;
  }

  private void take(RowData row, int quantity) {
    after = row.getLong(afterColumns[quantity]);
    before = after - row.getLong(deltaColumns[quantity]);
  }

  /** Measured from the end, so that of two parts the second is rounded down. */
  private void part(long from, long to, long length) {
    after = share(after, length - from, length) - share(after, length - to, length);
    before = share(before, length - from, length) - share(before, length - to, length);
  }

  private void scale(long numerator, long denominator) {
    after = share(after, numerator, denominator);
    before = share(before, numerator, denominator);
  }

  private void raise(int slot) {
    slots[slot] = Math.max(slots[slot], after);
  }

  /** Adds the current change to a sum, which becomes the current pair. */
  private void group(long family, long instant) throws Exception {
    Long group = instant << 8 | family;
    Long sum = groups.get(group);
    long change = after - before;
    before = sum == null ? 0 : sum;
    after = before + change;
    groups.put(group, after);
  }

  /** Returns value x part / whole, rounded down, without a product that could exceed 64 bits. */
  private static long share(long value, long part, long whole) {
    return Math.floorDiv(value, whole) * part + Math.floorMod(value, whole) * part / whole;
  }

  /** Reads the slots of the key: at least {@code width}, and all that are stored. */
  private void load(int width) throws Exception {
    byte[] stored = state.value();
    used = 0;
    if (stored != null) {
      packed.read(stored);
      while (packed.hasNext()) {
        reserve(used + 1);
        slots[used++] = packed.nextSigned();
      }
    }
    reserve(width);
    while (used < width) {
      slots[used++] = 0;
    }
  }

  private void reserve(int count) {
    if (count > slots.length) {
      slots = Arrays.copyOf(slots, 2 * count);
    }
  }

  private void store() throws Exception {
    packed.clear();
    for (int slot = 0; slot < used; slot++) {
      packed.putSigned(slots[slot]);
    }
    state.update(packed.copy());
  }

  private void write(ByteBuffer target, int position, int width) {
    target.position(position);
    for (int slot = 0; slot < width; slot++) {
      target.putLong(slots[slot]);
    }
  }
}
