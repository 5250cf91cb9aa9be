package metering.flink;

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import org.apache.flink.api.java.tuple.Tuple5;

/**
 * When rows of a key are expected. Its days are those of a time zone, or of several in succession:
 * {@code Europe/Madrid>2026-06-05>Europe/London} is London from that local day on.
 */
final class ExpectedTerms {
  final String zone;
  final long fromMs;
  final long untilMs;

  /** Name that the key shares with others; at the end of the input their rows bound its own. */
  final String peers;

  /** Interval of rows in seconds, 0 for a default. */
  final int intervalS;

  ExpectedTerms(String zone, long fromMs, long untilMs, String peers, int intervalS) {
    this.zone = zone;
    this.fromMs = fromMs;
    this.untilMs = untilMs;
    this.peers = peers;
    this.intervalS = intervalS;
  }

  static ExpectedTerms of(Tuple5<String, Long, Long, String, Integer> stored) {
    return stored == null
        ? null
        : new ExpectedTerms(stored.f0, stored.f1, stored.f2, stored.f3, stored.f4);
  }

  Tuple5<String, Long, Long, String, Integer> stored() {
    return Tuple5.of(zone, fromMs, untilMs, peers, intervalS);
  }

  /** Returns the start and the length of the local day of an instant, in milliseconds. */
  long[] day(long ms) {
    String[] parts = zone.split(">");
    int last = parts.length - 1;
    while (last > 0 && ms < startOf(LocalDate.parse(parts[last - 1]), parts[last])) {
      last -= 2;
    }
    LocalDate day = Instant.ofEpochMilli(ms).atZone(ZoneId.of(parts[last])).toLocalDate();
    if (last < parts.length - 1) {
      LocalDate change = LocalDate.parse(parts[last + 1]);
      day = day.isBefore(change) ? day : change.minusDays(1);
    }
    long startMs = startOf(day, parts[last]);
    LocalDate next = day.plusDays(1);
    boolean isLast = last < parts.length - 1 && next.toString().equals(parts[last + 1]);
    long endMs = startOf(next, parts[isLast ? last + 2 : last]);
    return new long[] {startMs, endMs - startMs};
  }

  private static long startOf(LocalDate day, String zone) {
    return day.atStartOfDay(ZoneId.of(zone)).toInstant().toEpochMilli();
  }
}
