package metering.flink;

/**
 * Reads of one cumulative register in order of time, and the energy between them.
 *
 * <p>The twin of {@code register_steps} in flink_job/metering/registers.py, which states the rule;
 * both pass tests/unit/metering/registers.txt. Not thread-safe.
 */
final class RegisterRule {
  /** More reads than are ever kept. */
  static final int CAPACITY = 20;

  private static final int NONE = -1;
  private static final long LEAST_S = 900;
  private static final long SECONDS_PER_HOUR = 3600;

  final long[] startMs = new long[CAPACITY];

  /** Values packed with their revision. */
  final long[] packed = new long[CAPACITY];

  /** Values at which the register rolls over, 0 for none [1e-6 kWh]. */
  final long[] size = new long[CAPACITY];

  final long[] intervalS = new long[CAPACITY];
  int count;

  /** Of each read the read from which its energy is counted, or -1, and its energy [1e-6 kWh]. */
  final int[] since = new int[CAPACITY];

  final long[] energy = new long[CAPACITY];
  private final long mask;

  /**
   * Creates a rule without reads.
   *
   * @param limit a power of two above all values: the revision of a packed value is above it
   */
  RegisterRule(long limit) {
    mask = limit - 1;
  }

  /** Computes the step of each read; returns the energy of all. {@code mostUw}: highest power. */
  long evaluate(long mostUw) {
    int before = NONE;
    int last = NONE;
    int old = NONE;
    for (int read = 0; read < count; read++) {
      long on = rise(last, read, mostUw);
      long back = rise(old, read, mostUw);
      long around = old == NONE ? rise(before, read, mostUw) : NONE;
      if (back != NONE && (on == NONE || back <= on)) {
        step(read, old, back);
        before = old;
        old = NONE;
      } else if (on != NONE) {
        step(read, last, on);
        before = last;
        old = on == 0 ? old : NONE;
      } else if (around != NONE) {
        step(last, NONE, 0);
        step(read, before, around);
      } else {
        step(read, NONE, 0);
        before = NONE;
        old = last;
      }
      last = read;
    }
    long total = 0;
    for (int read = 0; read < count; read++) {
      total += energy[read];
    }
    return total;
  }

  /** Inserts a read at a position. */
  void insert(int at, long start, long value, long rollover, long interval) {
    for (long[] column : new long[][] {startMs, packed, size, intervalS}) {
      System.arraycopy(column, at, column, at + 1, count - at);
    }
    startMs[at] = start;
    packed[at] = value;
    size[at] = rollover;
    intervalS[at] = interval;
    count++;
  }

  /** Removes the read at a position. */
  void remove(int at) {
    count--;
    for (long[] column : new long[][] {startMs, packed, size, intervalS}) {
      System.arraycopy(column, at + 1, column, at, count - at);
    }
  }

  private void step(int read, int from, long rise) {
    since[read] = from;
    energy[read] = rise;
  }

  /** Returns the energy between two reads, -1 if it is not plausible. */
  private long rise(int from, int read, long mostUw) {
    if (from == NONE) {
      return NONE;
    }
    long rise = (packed[read] & mask) - (packed[from] & mask);
    if (rise < 0) {
      rise += size[read];
    }
    if (rise < 0 || (size[read] > 0 && 2 * rise >= size[read])) {
      return NONE;
    }
    long seconds = Math.max(LEAST_S, (startMs[read] - startMs[from]) / 1000);
    boolean isUnlimited = mostUw > 0 && seconds > Long.MAX_VALUE / mostUw;
    return isUnlimited || rise <= mostUw * seconds / SECONDS_PER_HOUR ? rise : NONE;
  }
}
