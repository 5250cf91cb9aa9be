package metering.flink;

import java.math.BigInteger;
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
 *   <li>{@code PART from to length}: the share of the current pair in [from, to) if it is spread
 *       evenly over length; the shares of adjoining parts add up to the pair;
 *   <li>{@code SCALE numerator denominator}: the current pair times a ratio, rounded down;
 *   <li>{@code ROUND unit halfUp}: rounded to a multiple of unit, half to even, or (1) half away
 *       from zero;
 *   <li>{@code NEGATE}: with the opposite sign; {@code POSITIVE}: 0 instead of a negative value;
 *   <li>{@code KEEP}, {@code RECALL}: remembers the current pair, and returns to it; {@code PLUS}:
 *       adds the remembered pair to the current one;
 *   <li>{@code GROUP family instant}: adds the current change to a sum; the pair is that sum;
 *   <li>{@code AGAIN family instant}: the pair is the sum of a group to which the row has added the
 *       current change;
 *   <li>{@code HIGHEST family instant}: raises a maximum to the current value; the pair is that
 *       maximum before and after;
 *   <li>{@code ADD slot}: adds the current change to a slot;
 *   <li>{@code BLOCK slot low width}: adds the change of the part in [low, low + width), without an
 *       upper bound if width is 0;
 *   <li>{@code PRODUCT slot factor}: adds the change of the product with a factor (signed) to two
 *       slots: its quotient by 10^9, and the remainder to the slot after it;
 *   <li>{@code SQUARE slot low}: likewise, the change of the square of what is above low;
 *   <li>{@code HYPOT}: the square root, rounded down, of the sum of the squares of the current pair
 *       and the remembered one;
 *   <li>{@code TOP slot count}: in a descending list of the highest values of groups in {@code
 *       count} slots, the value before becomes the value after;
 *   <li>{@code MAX slot}: raises a slot to the current value;
 *   <li>{@code SHOW}: raises the shown value of the row to the current value.
 * </ul>
 *
 * <p>Added columns: the slots after the row, then the slots before it (BYTES NOT NULL, 8 bytes
 * each, little-endian), and the shown value (BIGINT NOT NULL, at least 0).
 *
 * <p>State, by key, with a TTL from the last write in processing time: {@code slots}, packed, and
 * {@code groups}, the sums and maxima by (instant, family).
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
  static final int ROUND = 8;
  static final int NEGATE = 9;
  static final int POSITIVE = 10;
  static final int KEEP = 11;
  static final int RECALL = 12;
  static final int PLUS = 13;
  static final int HIGHEST = 14;
  static final int BLOCK = 15;
  static final int PRODUCT = 16;
  static final int SQUARE = 17;
  static final int HYPOT = 18;
  static final int TOP = 19;
  static final int AGAIN = 20;

  /** Base of the two slots of products, whose sums may exceed 64 bits. */
  private static final long BASE = 1_000_000_000L;

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
  private transient long keptBefore;
  private transient long keptAfter;
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
        case GROUP:
          group(program.next(), program.next());
          break;
        case AGAIN:
          again(program.next(), program.next());
          break;
        case HIGHEST:
          highest(program.next(), program.next());
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
          if (!changed(operation)) {
            added(operation);
          }
      }
    }
    return shown;
  }

  /** Applies an operation that changes only the current pair; returns false for any other. */
  private boolean changed(int operation) {
    switch (operation) {
      case PART:
        part(program.next(), program.next(), program.next());
        return true;
      case SCALE:
        scale(program.next(), program.next());
        return true;
      case ROUND:
        round(program.next(), program.next() == 1);
        return true;
      case NEGATE:
        set(-before, -after);
        return true;
      case POSITIVE:
        set(Math.max(before, 0), Math.max(after, 0));
        return true;
      case KEEP:
        keptBefore = before;
        keptAfter = after;
        return true;
      case RECALL:
        set(keptBefore, keptAfter);
        return true;
      case PLUS:
        set(before + keptBefore, after + keptAfter);
        return true;
      case HYPOT:
        set(hypot(before, keptBefore), hypot(after, keptAfter));
        return true;
      default:
        return false;
    }
  }

  /** Applies an operation that adds a function of the current pair to slots. */
  private void added(int operation) {
    int slot;
    switch (operation) {
      case BLOCK:
        slot = (int) program.next();
        long low = program.next();
        long width = program.next();
        slots[slot] += block(after, low, width) - block(before, low, width);
        break;
      case PRODUCT:
        slot = (int) program.next();
        long factor = program.nextSigned();
        addProduct(slot, after, factor, 1);
        addProduct(slot, before, factor, -1);
        break;
      case SQUARE:
        slot = (int) program.next();
        long above = program.next();
        addProduct(slot, Math.max(after - above, 0), Math.max(after - above, 0), 1);
        addProduct(slot, Math.max(before - above, 0), Math.max(before - above, 0), -1);
        break;
      case TOP:
        slot = (int) program.next();
        top(slot, slot + (int) program.next() - 1);
        break;
      default:
        throw new IllegalStateException("unknown operation " + operation);
    }
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

  private void set(long newBefore, long newAfter) {
    before = newBefore;
    after = newAfter;
  }

  private void round(long unit, boolean halfUp) {
    before = rounded(before, unit, halfUp);
    after = rounded(after, unit, halfUp);
  }

  private static long rounded(long value, long unit, boolean halfUp) {
    long rest = Math.floorMod(value, unit);
    long down = value - rest;
    boolean upAtHalf = halfUp ? value > 0 : Math.floorMod(down / unit, 2) == 1;
    return 2 * rest > unit || (2 * rest == unit && upAtHalf) ? down + unit : down;
  }

  private static long block(long value, long low, long width) {
    long above = Math.max(value - low, 0);
    return width == 0 ? above : Math.min(above, width);
  }

  /** Adds a product, which may exceed 64 bits, to its two slots; {@code sign} is 1 or -1. */
  private void addProduct(int slot, long value, long factor, int sign) {
    // value = high x 10^9 + low, and high x factor is a quotient without a remainder.
    long high = Math.floorDiv(value, BASE);
    long low = Math.floorMod(value, BASE);
    long factorHigh = Math.floorDiv(factor, BASE);
    long factorLow = Math.floorMod(factor, BASE);
    long product = low * factorLow;
    long quotient = high * factor + low * factorHigh + product / BASE;
    slots[slot] += sign * quotient;
    slots[slot + 1] += sign * (product % BASE);
  }

  private static long hypot(long one, long other) {
    BigInteger x = BigInteger.valueOf(one);
    BigInteger y = BigInteger.valueOf(other);
    return other == 0 ? Math.abs(one) : x.multiply(x).add(y.multiply(y)).sqrt().longValueExact();
  }

  /** Replaces the value before in a descending list, or else the lowest one if it is exceeded. */
  private void top(int first, int last) {
    int at = first;
    while (at < last && slots[at] != before) {
      at++;
    }
    if (after <= slots[at]) {
      return;
    }
    while (at > first && slots[at - 1] < after) {
      slots[at] = slots[at - 1];
      at--;
    }
    slots[at] = after;
  }

  /** Raises a maximum, which becomes the current pair. */
  private void highest(long family, long instant) throws Exception {
    Long group = instant << 8 | family;
    Long highest = groups.get(group);
    before = highest == null ? 0 : highest;
    after = Math.max(before, after);
    if (after > before) {
      groups.put(group, after);
    }
  }

  /** Adds the current change to a sum, which becomes the current pair. */
  private void group(long family, long instant) throws Exception {
    Long group = instant << 8 | family;
    Long sum = groups.get(group);
    long change = after - before;
    before = sum == null ? 0 : sum;
    after = before + change;
    if (change != 0) {
      groups.put(group, after);
    }
  }

  /** Takes the sum of a group, which has the current change already. */
  private void again(long family, long instant) throws Exception {
    Long sum = groups.get(instant << 8 | family);
    long change = after - before;
    after = sum == null ? 0 : sum;
    before = after - change;
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
