package metering.flink;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.data.StringData;

/**
 * Where a run of files ends, for each group of peers, by the last rows of its keys: which windows
 * it cuts.
 *
 * <p>The last row of all is not enough. Where the clock of one meter is ahead, its rows reach into
 * a window of which all others know nothing yet. Clocks that are further ahead than {@link
 * #MAX_AHEAD_MS} are not expected: a key that ends earlier than that is silent.
 */
final class InputEnds {
  static final long MAX_AHEAD_MS = 3_600_000;

  private final Map<StringData, List<Long>> ends = new HashMap<>();

  /** Adds a key by the end of its last row. */
  void add(StringData peers, long endMs) {
    ends.computeIfAbsent(peers, name -> new ArrayList<>()).add(endMs);
  }

  /** Sorts the ends, after the last key. */
  void complete() {
    ends.values().forEach(Collections::sort);
  }

  /**
   * Returns whether the input of some peers ends before all rows of a window are known: its last
   * row before the window does, or most of its keys before the window begins.
   *
   * @param lastMs end of the last row of the peers
   */
  boolean cut(StringData peers, long lastMs, long startMs, long endMs) {
    List<Long> sorted = ends.get(peers);
    if (endMs > lastMs || sorted == null) {
      return endMs > lastMs;
    }
    long fromMs = sorted.get(sorted.size() - 1) - MAX_AHEAD_MS;
    int first = 0;
    while (sorted.get(first) < fromMs) {
      first++;
    }
    return startMs >= sorted.get(first + (sorted.size() - first - 1) / 2);
  }
}
