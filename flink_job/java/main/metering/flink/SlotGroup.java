package metering.flink;

import java.util.Arrays;

/**
 * The slots of one hour, or of the part of an hour that belongs to one day, with their sums.
 *
 * <p>Encoded as zigzag varints (see {@link PackedLongs}): most values are small, and most slots of
 * an open hour are empty.
 */
final class SlotGroup {
  static final int SLOTS = 4;

  private static final int PARTIAL = 1 << SLOTS;
  private static final int DAY_PARTIAL = PARTIAL << 1;

  /** Fields of the group itself, before those of the slots. */
  private static final int HEADER = 4;

  long dayStartMs;
  long dayMs;

  /** Latest arrival of a row, as epoch milliseconds; 0 if the group has no rows. */
  long arrivalMs;

  /** Bits of the slots that changed after they were emitted. */
  long corrected;

  /** Whether the input ended before all rows of the group, or of its day, were known. */
  boolean isPartial;

  boolean isDayPartial;

  final long[][] sums;

  /** Shortest interval of the rows of each slot, in seconds; 0 without rows. */
  final long[] intervals = new long[SLOTS];

  private final int columns;
  private final PackedLongs packing;
  private final long[] packed;

  SlotGroup(int columns) {
    this.columns = columns;
    this.sums = new long[SLOTS][columns];
    this.packed = new long[HEADER + SLOTS * (columns + 1)];
    this.packing = new PackedLongs(new long[packed.length]);
  }

  /** Clears the group for a day. */
  void clear(long newDayStartMs, long newDayMs) {
    dayStartMs = newDayStartMs;
    dayMs = newDayMs;
    arrivalMs = 0;
    corrected = 0;
    isPartial = false;
    isDayPartial = false;
    Arrays.fill(intervals, 0);
    for (long[] slot : sums) {
      Arrays.fill(slot, 0);
    }
  }

  /** Returns whether a slot has neither rows nor sums. */
  boolean isEmpty(int slot) {
    for (long sum : sums[slot]) {
      if (sum != 0) {
        return false;
      }
    }
    return intervals[slot] == 0;
  }

  boolean isEmpty() {
    for (int slot = 0; slot < SLOTS; slot++) {
      if (!isEmpty(slot)) {
        return false;
      }
    }
    return true;
  }

  /** Returns the sums of all slots. */
  long[] total() {
    long[] total = new long[columns];
    for (long[] slot : sums) {
      for (int at = 0; at < columns; at++) {
        total[at] += slot[at];
      }
    }
    return total;
  }

  /** Returns the shortest interval of the rows in seconds, 0 without rows. */
  int interval() {
    return (int) Arrays.stream(intervals).reduce(0, RollupColumns::shorter);
  }

  /** Adds the slots of another group of the same day to the first slot. */
  void merge(SlotGroup other) {
    long[] total = other.total();
    for (int at = 0; at < columns; at++) {
      sums[0][at] += total[at];
    }
    intervals[0] = RollupColumns.shorter(intervals[0], other.interval());
    arrivalMs = Math.max(arrivalMs, other.arrivalMs);
    isDayPartial |= other.isPartial || other.isDayPartial;
  }

  byte[] pack() {
    int at = 0;
    packed[at++] = dayStartMs / 1000;
    packed[at++] = dayMs / 1000;
    packed[at++] = arrivalMs;
    packed[at++] = corrected | (isPartial ? PARTIAL : 0) | (isDayPartial ? DAY_PARTIAL : 0);
    for (int slot = 0; slot < SLOTS; slot++) {
      packed[at++] = intervals[slot];
      System.arraycopy(sums[slot], 0, packed, at, columns);
      at += columns;
    }
    return packing.pack(packed);
  }

  void unpack(byte[] bytes) {
    packing.unpack(bytes, packed);
    int at = 0;
    dayStartMs = packed[at++] * 1000;
    dayMs = packed[at++] * 1000;
    arrivalMs = packed[at++];
    long flags = packed[at++];
    corrected = flags & (PARTIAL - 1);
    isPartial = (flags & PARTIAL) != 0;
    isDayPartial = (flags & DAY_PARTIAL) != 0;
    for (int slot = 0; slot < SLOTS; slot++) {
      intervals[slot] = packed[at++];
      System.arraycopy(packed, at, sums[slot], 0, columns);
      at += columns;
    }
  }
}
