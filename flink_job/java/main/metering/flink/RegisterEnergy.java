package metering.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Emits each read of a cumulative register with the energy that it adds: that of all reads so far
 * in order of time (see {@link RegisterRule}), minus that of the reads before. So the energies add
 * up to the same in every order of arrival.
 *
 * <p>Added columns: the energy (BIGINT, may be negative), the part of it that counts in the demand
 * interval of the row (BIGINT), the energy of the row's interval, or -1 if it is not known
 * (BIGINT), the state (INT: 0, {@link #ESTIMATED} or {@link #IMPLAUSIBLE}), and whether the read is
 * not the latest (BOOLEAN). None is NULL.
 *
 * <p>The energy of a silence is spread over its time: only the part of the row's interval counts in
 * its demand interval.
 *
 * <p>State, by key, without TTL: {@code reads}, at most {@link #MAX_READS} with the same energy as
 * all. Of a register that rises without a gap, the reads between the first one and the latest few
 * are not needed. If more than that must be kept, the first is forgotten; reads before it add
 * nothing from then on.
 */
public final class RegisterEnergy extends KeyedProcessFunction<RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;

  /** The energy of a silence. */
  static final int ESTIMATED = 1;

  /** A step that no meter can measure: another register, or a wrong value. It has no energy. */
  static final int IMPLAUSIBLE = 2;

  static final int MAX_READS = 16;

  /** The latest reads are kept: the next one may show that one of them was wrong. */
  private static final int LATEST = 8;

  private static final long SILENCE_MS = 900_000;

  private final int[] columns;
  private final long limit;

  private transient ValueState<byte[]> state;
  private transient VarLongs packing;
  private transient RegisterRule reads;
  private transient boolean isCut;
  private transient GenericRowData added;
  private transient JoinedRowData joined;

  /**
   * Creates the function.
   *
   * @param columns positions of the start [epoch ms] (BIGINT), the interval [s] (INT), the packed
   *     value (BIGINT), the roll-over (BIGINT, NULL for none) and the highest power of the meter
   *     [1e-6 kW] (BIGINT)
   * @param limit a power of two above all values: the revision of a packed value is above it
   */
  public RegisterEnergy(int[] columns, long limit) {
    this.columns = columns;
    this.limit = limit;
  }

  @Override
  public void open(OpenContext openContext) {
    state =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>(
                    "reads", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    packing = new VarLongs();
    reads = new RegisterRule(limit);
    added = new GenericRowData(5);
    joined = new JoinedRowData();
  }

  @Override
  public void processElement(RowData row, Context context, Collector<RowData> out)
      throws Exception {
    load();
    long mostUw = row.getLong(columns[4]);
    int at = place(row);
    if (at < 0) {
      add(0, 0, -1, 0, true);
    } else {
      long before = reads.evaluate(mostUw);
      boolean isRevision = at < reads.count && reads.startMs[at] == row.getLong(columns[0]);
      if (isRevision) {
        reads.remove(at);
      }
      long size = row.isNullAt(columns[3]) ? 0 : row.getLong(columns[3]);
      reads.insert(
          at, row.getLong(columns[0]), row.getLong(columns[2]), size, row.getInt(columns[1]));
      describe(at, reads.evaluate(mostUw) - before);
      shorten(mostUw);
      store();
    }
    joined.setRowKind(row.getRowKind());
    out.collect(joined.replace(row, added));
  }

  /** Returns the position of a read by time, or -1 if it changes nothing. */
  private int place(RowData row) {
    long start = row.getLong(columns[0]);
    if (isCut && start < reads.startMs[0]) {
      return -1;
    }
    int at = reads.count;
    while (at > 0 && reads.startMs[at - 1] >= start) {
      at--;
    }
    boolean isKnown = at < reads.count && reads.startMs[at] == start;
    return isKnown && reads.packed[at] >= row.getLong(columns[2]) ? -1 : at;
  }

  /** Sets the added columns of the read at a position, which adds {@code change}. */
  private void describe(int at, long change) {
    boolean isLatest = at == reads.count - 1;
    int from = isLatest ? reads.since[at] : at;
    int to = isLatest ? at : at + 1;
    boolean isImplausible = at > 0 && reads.since[at] < 0;
    long ownMs = reads.intervalS[to] * 1000;
    long gapMs = from < 0 ? 0 : reads.startMs[to] - reads.startMs[from];
    boolean isSilence = gapMs > SILENCE_MS && gapMs >= 2 * ownMs;
    long counted = change;
    if (isSilence) {
      long silentS = gapMs / 1000 - reads.intervalS[from];
      counted -= share(change, silentS, silentS + reads.intervalS[to]);
    }
    boolean isKnown = isLatest && from >= 0 && gapMs == ownMs;
    boolean isEstimated = isSilence && change != 0;
    add(
        change,
        counted,
        isKnown ? change : -1,
        isImplausible ? IMPLAUSIBLE : isEstimated ? ESTIMATED : 0,
        !isLatest);
  }

  private void add(long change, long counted, long interval, int condition, boolean isOvertaken) {
    added.setField(0, change);
    added.setField(1, counted);
    added.setField(2, interval);
    added.setField(3, condition);
    added.setField(4, isOvertaken);
  }

  /** Removes reads that are not needed, until there are few enough. */
  private void shorten(long mostUw) {
    long total = reads.evaluate(mostUw);
    int at = 1;
    while (reads.count > LATEST + 1 && at < reads.count - LATEST) {
      if (reads.since[at] == at - 1 && reads.since[at + 1] == at && isNeedless(at, mostUw, total)) {
        reads.remove(at);
      } else {
        at++;
      }
      reads.evaluate(mostUw);
    }
    while (reads.count > MAX_READS) {
      reads.remove(0);
      isCut = true;
    }
  }

  private boolean isNeedless(int at, long mostUw, long total) {
    long start = reads.startMs[at];
    long packed = reads.packed[at];
    long size = reads.size[at];
    long interval = reads.intervalS[at];
    reads.remove(at);
    boolean isEqual = reads.evaluate(mostUw) == total;
    reads.insert(at, start, packed, size, interval);
    return isEqual;
  }

  /** Returns value x part / whole, rounded down, without a product that could exceed 64 bits. */
  private static long share(long value, long part, long whole) {
    return Math.floorDiv(value, whole) * part + Math.floorMod(value, whole) * part / whole;
  }

  private void load() throws Exception {
    byte[] stored = state.value();
    reads.count = 0;
    isCut = false;
    if (stored == null) {
      return;
    }
    packing.read(stored);
    isCut = packing.next() == 1;
    long start = 0;
    while (packing.hasNext()) {
      start += packing.nextSigned();
      reads.insert(reads.count, start, packing.next(), packing.next(), packing.next());
    }
  }

  private void store() throws Exception {
    packing.clear();
    packing.put(isCut ? 1 : 0);
    long start = 0;
    for (int read = 0; read < reads.count; read++) {
      packing.putSigned(reads.startMs[read] - start);
      start = reads.startMs[read];
      packing.put(reads.packed[read]);
      packing.put(reads.size[read]);
      packing.put(reads.intervalS[read]);
    }
    state.update(packing.copy());
  }
}
