package metering.flink;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import org.apache.flink.api.java.tuple.Tuple5;

/** When rows of a key are expected; its days are those of a time zone. */
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
    ZoneId rules = ZoneId.of(zone);
    ZonedDateTime start = Instant.ofEpochMilli(ms).atZone(rules).toLocalDate().atStartOfDay(rules);
    long startMs = start.toInstant().toEpochMilli();
    long endMs = start.toLocalDate().plusDays(1).atStartOfDay(rules).toInstant().toEpochMilli();
    return new long[] {startMs, endMs - startMs};
  }
}
