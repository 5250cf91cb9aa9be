package metering.flink;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.state.ValueState;

/**
 * How far the windows of the current key have been emitted, and which are still to be: one value,
 * because the scans of a map cost more than its few entries.
 */
final class RollupProgress {
  static final long NONE = Long.MIN_VALUE;
  private static final int FIXED = 8;

  /** All slots that end at or before this time have been emitted. */
  long closedMs = NONE;

  /** Interval of the latest slot with rows, 0 for none. */
  long intervalS;

  /** Time of the key's timer. */
  long timerMs = NONE;

  /** Rows are expected from this time, NONE for never, ... */
  long expectedFromMs = NONE;

  /** ... until this time. */
  long expectedUntilMs = NONE;

  /**
   * Slots that end at or before this time were emitted before there were rows; NONE without rows.
   */
  long heardMs = NONE;

  /** Start of the first group with rows. */
  long firstMs = Long.MAX_VALUE;

  /** Time up to which slots are being emitted; not stored. */
  long reachedMs = NONE;

  /** Groups to be emitted, as pairs of start and end, in order of their start. */
  long[] groups = {};

  /** Days to be emitted, as pairs of start and end, in order of their start. */
  long[] days = {};

  static RollupProgress read(ValueState<long[]> state) throws IOException {
    RollupProgress progress = new RollupProgress();
    long[] stored = state.value();
    if (stored != null) {
      progress.closedMs = stored[0];
      progress.intervalS = stored[1];
      progress.timerMs = stored[2];
      progress.expectedFromMs = stored[3];
      progress.expectedUntilMs = stored[4];
      progress.heardMs = stored[5];
      progress.firstMs = stored[6];
      int split = FIXED + (int) stored[7];
      progress.groups = Arrays.copyOfRange(stored, FIXED, split);
      progress.days = Arrays.copyOfRange(stored, split, stored.length);
    }
    return progress;
  }

  void write(ValueState<long[]> state) throws IOException {
    long[] stored = new long[FIXED + groups.length + days.length];
    stored[0] = closedMs;
    stored[1] = intervalS;
    stored[2] = timerMs;
    stored[3] = expectedFromMs;
    stored[4] = expectedUntilMs;
    stored[5] = heardMs;
    stored[6] = firstMs;
    stored[7] = groups.length;
    System.arraycopy(groups, 0, stored, FIXED, groups.length);
    System.arraycopy(days, 0, stored, FIXED + groups.length, days.length);
    state.update(stored);
  }

  boolean expects(long slotMs) {
    return expectedFromMs != NONE && slotMs >= expectedFromMs && slotMs < expectedUntilMs;
  }

  /** Returns the end of the pending group that includes a slot, or NONE if there is none. */
  long endOfGroup(long slotMs) {
    for (int at = 0; at < groups.length; at += 2) {
      if (groups[at] <= slotMs && slotMs < groups[at + 1]) {
        return groups[at + 1];
      }
    }
    return NONE;
  }

  /** Returns the pairs with another one, at its place. */
  static long[] with(long[] pairs, long start, long end) {
    int at = 0;
    while (at < pairs.length && pairs[at] < start) {
      at += 2;
    }
    if (at < pairs.length && pairs[at] == start) {
      return pairs;
    }
    long[] more = new long[pairs.length + 2];
    System.arraycopy(pairs, 0, more, 0, at);
    more[at] = start;
    more[at + 1] = end;
    System.arraycopy(pairs, at, more, at + 2, pairs.length - at);
    return more;
  }
}
