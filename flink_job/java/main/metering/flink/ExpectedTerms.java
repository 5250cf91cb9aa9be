package metering.flink;

import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import org.apache.flink.api.java.tuple.Tuple5;

/**
 * When rows of a key are expected: from {@code fromMs} until {@code untilMs}, but not before {@code
 * sinceMs}, the time at which the job began to observe the key. Days are those of a time zone.
 */
final class ExpectedTerms {
  static final long UNKNOWN = Long.MIN_VALUE;

  final String zone;
  final long fromMs;
  final long untilMs;
  final long sinceMs;
  final String peers;

  ExpectedTerms(String zone, long fromMs, long untilMs, long sinceMs, String peers) {
    this.zone = zone;
    this.fromMs = fromMs;
    this.untilMs = untilMs;
    this.sinceMs = sinceMs;
    this.peers = peers;
  }

  static ExpectedTerms of(Tuple5<String, Long, Long, Long, String> stored) {
    return stored == null
        ? null
        : new ExpectedTerms(stored.f0, stored.f1, stored.f2, stored.f3, stored.f4);
  }

  Tuple5<String, Long, Long, Long, String> stored() {
    return Tuple5.of(zone, fromMs, untilMs, sinceMs, peers);
  }

  ExpectedTerms since(long ms) {
    return new ExpectedTerms(zone, fromMs, untilMs, ms, peers);
  }

  long firstMs() {
    return Math.max(fromMs, sinceMs);
  }

  boolean includes(long slotMs) {
    return sinceMs != UNKNOWN && slotMs >= firstMs() && slotMs < untilMs;
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
