package metering.flink;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.table.data.RowData;

/**
 * Times of emission by which the rows of a window can be ordered: a row that follows another one of
 * its window within a millisecond has the next millisecond.
 *
 * <p>Only windows of the present millisecond are kept. Windows are known by a hash; rows of two
 * windows with the same one have different times, too.
 */
final class EmissionClock {
  private final ProcessingTimeService time;
  private final Map<Long, Long> latest = new HashMap<>();
  private long untilMs = Long.MIN_VALUE;

  EmissionClock(ProcessingTimeService time) {
    this.time = time;
  }

  /** Returns the time of a row of a window: key, start of the day, start and length. */
  long next(RowData key, long dayStartMs, long startMs, int lengthS) {
    long nowMs = time.getCurrentProcessingTime();
    if (nowMs > untilMs) {
      latest.clear();
      untilMs = nowMs;
    }
    long window = ((key.hashCode() * 31L + dayStartMs) * 31 + startMs) * 31 + lengthS;
    long emittedMs = latest.merge(window, nowMs, (before, now) -> Math.max(before + 1, now));
    untilMs = Math.max(untilMs, emittedMs);
    return emittedMs;
  }
}
