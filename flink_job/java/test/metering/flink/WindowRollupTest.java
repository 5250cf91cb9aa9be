package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.KeyedTwoInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.TimestampType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;

/**
 * Rows of these tests: key, start, interval, day start and length, arrival, and the sums rows,
 * expected rows, energy, and the name of the peers. Emitted rows are written as {@code minute of
 * the window's start + its minutes, flags, rows/expected rows, energy, least to greatest}; the
 * flags are T (total), C (change), R (corrected), and P (partial).
 */
class WindowRollupTest {
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final ColumnKey KEY = new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final RollupColumns COLUMNS =
      new RollupColumns(1, 2, 3, 4, 5, new int[] {6, 7, 8});
  private static final int MINUTE_MS = 60_000;
  private static final int DAY_S = 86_400;

  @Test
  void aWindowIsEmittedWhenTheWatermarkReachesItsEnd() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 300, 2);
      rollup.row("a", 10, 300, 3);
      rollup.row("a", 45, 900, 1);
      rollup.watermark(14);
      assertEquals(List.of(), rollup.emitted());
      rollup.watermark(15);
      assertEquals(List.of("0+15 TC 2/3 5 5..5"), rollup.emitted());
      rollup.watermark(60);
      // The second and third quarter hour are silent and not expected.
      assertEquals(List.of("45+15 TC 1/1 1 1..1", "0+60 T 3/4 6 1..5"), rollup.emitted());
      rollup.watermark(24 * 60);
      assertEquals(List.of("0+1440 T 3/4 6 1..5"), rollup.emitted());
      assertEquals(0, rollup.numEventTimeTimers());
    }
  }

  @Test
  void aLateRowIsAChangeAtOnceAndCorrectsItsWindows() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 2);
      rollup.watermark(30);
      rollup.emitted();
      rollup.row("a", 5, 300, 3);
      assertEquals(List.of("0+15 CR 1/0 3 null..null"), rollup.emitted());
      rollup.row("a", 10, 300, 1);
      rollup.emitted();
      rollup.watermark(31);
      assertEquals(List.of("0+15 TR 3/1 6 6..6"), rollup.emitted());
      // The hour is emitted for the first time, with all rows.
      rollup.watermark(60);
      assertEquals(List.of("0+60 T 3/1 6 6..6"), rollup.emitted());
      rollup.watermark(24 * 60);
      rollup.emitted();
      rollup.row("a", 20, 900, 4);
      rollup.emitted();
      rollup.watermark(24 * 60 + 1);
      assertEquals(
          List.of("15+15 TR 1/0 4 4..4", "0+60 TR 4/1 10 4..6", "0+1440 TR 4/1 10 4..6"),
          rollup.emitted());
    }
  }

  @Test
  void aRestoredOperatorEmitsNoFirstTotalTwice() throws Exception {
    OperatorSubtaskState state;
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 2);
      rollup.watermark(15);
      state = rollup.snapshot(1, 1);
    }
    try (Harness rollup = new Harness()) {
      rollup.initializeState(state);
      rollup.open();
      rollup.row("a", 1, 60, 1);
      assertEquals(List.of("0+15 CR 1/0 1 null..null"), rollup.emitted());
      rollup.watermark(2);
      rollup.row("a", 15, 900, 5);
      rollup.watermark(60);
      assertEquals(
          List.of("0+15 TR 2/1 3 3..3", "15+15 TC 1/1 5 5..5", "0+60 T 3/2 8 3..5"),
          rollup.emitted());
    }
  }

  @Test
  void aSilentKeyHasHoursAndDaysWithinItsTerms() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 1);
      rollup.terms("a", "UTC", 0, 24 * 60);
      rollup.watermark(22 * 60);
      assertEquals(List.of("0+15 TC 1/1 1 1..1", "0+60 T 1/1 1 1..1"), rollup.emitted());
      rollup.watermark(23 * 60);
      assertEquals(
          List.of(
              "1320+15 C 0/1 0 null..null",
              "1335+15 C 0/1 0 null..null",
              "1350+15 C 0/1 0 null..null",
              "1365+15 C 0/1 0 null..null",
              "1320+60 T 0/4 0 null..null"),
          rollup.emitted());
      rollup.watermark(48 * 60);
      assertEquals(
          List.of("1380+60 T 0/4 0 null..null", "0+1440 T 1/9 1 1..1"),
          rollup.emitted().stream().filter(row -> row.contains("T")).collect(Collectors.toList()));
      assertEquals(0, rollup.numEventTimeTimers());
    }
  }

  @Test
  void expectedRowsFollowTheInterval() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(0);
      for (int minute = 0; minute < 60; minute += 10) {
        if (minute != 20 && minute != 50) {
          rollup.row("a", minute, 600, 1);
        }
      }
      rollup.watermark(60);
      // 10-minute rows start at 0 and 10, 20, 30 and 40, 50: two of six are missing.
      List<String> emitted = rollup.emitted();
      assertEquals("0+60 T 4/6 4 2..2", emitted.get(emitted.size() - 1));
      rollup.row("a", 60, 3600, 6);
      rollup.watermark(180);
      assertEquals(
          List.of("60+60 T 1/1 6 6..6", "120+60 T 0/1 0 null..null"),
          rollup.emitted().stream()
              .filter(row -> row.contains("+60 "))
              .collect(Collectors.toList()));
    }
  }

  @Test
  void aSlotBelongsToTheDayInWhichItStarts() throws Exception {
    // Midnight is at 18:15 UTC, as in Kathmandu.
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.terms("a", "+05:45", 18 * 60, 20 * 60);
      rollup.watermark(18 * 60);
      rollup.watermark(19 * 60);
      assertEquals(
          List.of(
              "1080+15 C 0/1 0 null..null",
              "1095+15 C 0/1 0 null..null",
              "1110+15 C 0/1 0 null..null",
              "1125+15 C 0/1 0 null..null",
              "-345+1440 T 0/1 0 null..null"),
          rollup.emitted());
    }
  }

  @Test
  void atTheEndOfTheInputRowsAreExpectedBetweenTheFirstAndTheLast() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 60, 900, 1);
      rollup.row("a", 90, 900, 2);
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.terms("b", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.terms("elsewhere", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.processWatermark1(Watermark.MAX_WATERMARK);
      assertEquals(List.of(), rollup.emitted());
      rollup.processWatermark2(Watermark.MAX_WATERMARK);
      assertEquals(
          List.of("0+1440 TP 0/3 0 null..null"),
          rollup.emittedOf("b").stream()
              .filter(row -> row.contains("T"))
              .collect(Collectors.toList()));
      assertEquals(
          List.of(
              "60+15 TCP 1/1 1 1..1",
              "75+15 CP 0/1 0 null..null",
              "90+15 TCP 1/1 2 2..2",
              "60+60 TP 2/3 3 1..2",
              "0+1440 TP 2/3 3 1..2"),
          rollup.emittedOf("a"));
      assertEquals(List.of(), rollup.emittedOf("elsewhere"));
    }
  }

  @Test
  void aWindowIsPartialIfTheInputEndsBeforeIt() throws Exception {
    // Until 120: the hours are complete, the day is not.
    assertEquals(
        List.of("0+60 T 4/4 4 1..1", "60+60 T 4/4 4 1..1", "0+1440 TP 8/8 8 1..1"),
        totalsAtTheEnd(0, 0, 0));
  }

  @Test
  void aClockThatIsAheadEndsNoWindow() throws Exception {
    // Two of three meters end at 120, one at 170 or 180: most know nothing of the hour from 120.
    for (int aheadMin : new int[] {50, 60}) {
      List<String> ahead = totalsAtTheEnd(0, 0, aheadMin);
      assertTrue(ahead.contains("60+60 T 4/4 4 1..1"), ahead.toString());
      String last = ahead.stream().filter(row -> row.startsWith("120+60")).findFirst().orElse("");
      assertTrue(last.startsWith("120+60 TP "), ahead.toString());
    }
    // Most end at 180: one is silent in the last hour.
    assertTrue(totalsAtTheEnd(0, 60, 60).contains("120+60 T 4/4 4 1..1"));
  }

  @Test
  void aWindowIsPartialIfTheWatermarkHasNotPassedIt() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 1);
      rollup.row("a", 60, 900, 2);
      rollup.watermark(75);
      assertTrue(rollup.emitted().contains("0+60 T 1/1 1 1..1"));
      rollup.processWatermark2(Watermark.MAX_WATERMARK);
      rollup.processWatermark1(Watermark.MAX_WATERMARK);
      assertEquals(List.of("60+60 TP 1/1 2 2..2", "0+1440 TP 2/2 3 1..2"), rollup.emitted());
    }
  }

  /** The totals of the last of three meters, whose clocks are ahead by some minutes. */
  private static List<String> totalsAtTheEnd(int... aheadMin) throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      for (int meter = 0; meter < aheadMin.length; meter++) {
        rollup.terms("m" + meter, "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
        for (int minute = 0; minute < 120; minute += 15) {
          rollup.row("m" + meter, minute + aheadMin[meter], 900, 1);
        }
      }
      rollup.processWatermark2(Watermark.MAX_WATERMARK);
      rollup.processWatermark1(Watermark.MAX_WATERMARK);
      return rollup.emittedOf("m" + (aheadMin.length - 1)).stream()
          .filter(row -> row.contains(" T") && !row.contains("+15 "))
          .collect(Collectors.toList());
    }
  }

  @Test
  void aChangeOfZoneLeavesTheHoursOfTheOldDay() throws Exception {
    // The old day ends at 18:30 UTC; in the new zone the hour from 18:00 is in one day.
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 1);
      rollup.terms("a", "+05:30", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(18 * 60);
      rollup.watermark(18 * 60 + 15);
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.emitted();
      rollup.watermark(20 * 60);
      assertEquals(
          List.of("1080+60 T 0/2 0 null..null", "1140+60 T 0/4 0 null..null"),
          rollup.emitted().stream()
              .filter(row -> row.contains("+60 T"))
              .collect(Collectors.toList()));
    }
  }

  @Test
  void theTermsMayNameTheInterval() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.terms("hourly", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(0);
      rollup.watermark(60);
      assertEquals(List.of("0+15 C 0/1 0 null..null"), rollup.emitted());
    }
  }

  @Test
  void theTermsOfAKeyEnd() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 1);
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(15);
      rollup.watermark(30);
      rollup.terms("a", "UTC", 0, 0);
      rollup.emitted();
      rollup.watermark(120);
      assertEquals(List.of("0+60 T 1/2 1 1..1"), rollup.emitted());
    }
  }

  @Test
  void aKeyThatNeverHadRowsStoresNoSums() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(0);
      int before = rollup.numKeyedStateEntries();
      rollup.watermark(105);
      assertEquals(before, rollup.numKeyedStateEntries());
      assertEquals(
          List.of(),
          rollup.emitted().stream().filter(row -> row.contains("T")).collect(Collectors.toList()));
      // A late row of the first hour, and one on time: what was expected before is not lost.
      rollup.row("a", 30, 900, 5);
      rollup.row("a", 105, 900, 3);
      rollup.watermark(24 * 60);
      List<String> totals =
          rollup.emitted().stream().filter(row -> row.contains("T")).collect(Collectors.toList());
      assertEquals(
          List.of(
              "30+15 TR 1/1 5 5..5",
              "0+60 TR 1/4 5 5..5",
              "105+15 TC 1/1 3 3..3",
              "60+60 T 1/4 3 3..3"),
          totals.subList(0, 4));
      assertEquals("0+1440 T 2/96 8 3..5", totals.get(totals.size() - 1));
    }
  }

  @Test
  void hoursFollowTheFirstRowsWhenTheyAreLate() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.terms("a", "UTC", 0, Long.MAX_VALUE / MINUTE_MS);
      rollup.watermark(0);
      rollup.watermark(180);
      rollup.emitted();
      rollup.row("a", 60, 900, 5);
      rollup.watermark(240);
      assertEquals(
          List.of("60+60 TR 1/4 5 5..5", "120+60 TR 0/4 0 null..null", "180+60 T 0/4 0 null..null"),
          rollup.emitted().stream()
              .filter(row -> row.contains("+60 T"))
              .collect(Collectors.toList()));
    }
  }

  @Test
  void aDayOfTermsEndsWhereTheNextZoneBegins() {
    // Midnight of 5 June is at 22:00 UTC in Madrid and at 23:00 in London.
    String zones = "Europe/Madrid>2026-06-05>Europe/London";
    ExpectedTerms terms = new ExpectedTerms(zones, 0, 1, "site", 0);
    long fourthMs = Instant.parse("2026-06-03T22:00:00Z").toEpochMilli();
    assertArrayEquals(
        new long[] {fourthMs, 25 * 3_600_000},
        terms.day(Instant.parse("2026-06-04T22:30:00Z").toEpochMilli()));
    long fifthMs = Instant.parse("2026-06-04T23:00:00Z").toEpochMilli();
    assertArrayEquals(new long[] {fifthMs, 24 * 3_600_000}, terms.day(fifthMs));
    assertArrayEquals(new long[] {fourthMs, 25 * 3_600_000}, terms.day(fourthMs));
  }

  @Test
  void theSecondInputDoesNotHoldBackTheWatermark() throws Exception {
    try (Harness rollup = new Harness()) {
      rollup.open();
      rollup.row("a", 0, 900, 2);
      rollup.processWatermarkStatus2(WatermarkStatus.ACTIVE);
      rollup.processWatermark2(new Watermark(0));
      rollup.watermark(15);
      assertEquals(1, rollup.emitted().size());
    }
  }

  private static final class Harness
      extends KeyedTwoInputStreamOperatorTestHarness<RowData, RowData, RowData, RowData> {

    Harness() throws Exception {
      super(
          new ExpectedRollup(COLUMNS, 9, new int[] {1, 2, 3, 4, 5}, 1_000_000_000L, 1_000, 900),
          KEY,
          KEY,
          KEY.getProducedType());
      setup(
          InternalTypeInfo.ofFields(
                  STRING,
                  new BigIntType(),
                  new IntType(),
                  new BigIntType(),
                  new IntType(),
                  new BooleanType(),
                  new BooleanType(),
                  new BooleanType(),
                  new BooleanType(),
                  new BooleanType(),
                  new IntType(),
                  new BigIntType(),
                  new BigIntType(),
                  new BigIntType(),
                  new BigIntType(),
                  new BigIntType(),
                  new TimestampType(3),
                  new TimestampType(3))
              .toSerializer());
    }

    void row(String key, int minute, int intervalS, long energy) throws Exception {
      RowData row =
          GenericRowData.of(
              StringData.fromString(key),
              (long) minute * MINUTE_MS,
              intervalS,
              0L,
              DAY_S,
              TimestampData.fromEpochMillis((long) minute * MINUTE_MS + 1),
              1L,
              0L,
              energy,
              StringData.fromString("site"));
      processElement1(new StreamRecord<>(row));
    }

    void terms(String key, String zone, long fromMinute, long untilMinute) throws Exception {
      RowData row =
          GenericRowData.of(
              StringData.fromString(key),
              StringData.fromString(zone),
              fromMinute * MINUTE_MS,
              untilMinute * MINUTE_MS,
              StringData.fromString(key.equals("elsewhere") ? "other" : "site"),
              key.equals("hourly") ? 3600 : 0);
      processElement2(new StreamRecord<>(row));
    }

    void watermark(int minute) throws Exception {
      processWatermark1(new Watermark((long) minute * MINUTE_MS));
    }

    /** The rows emitted since the last call. */
    List<String> emitted() {
      List<String> rows =
          extractOutputValues().stream().map(Harness::text).collect(Collectors.toList());
      getOutput().clear();
      return rows;
    }

    List<String> emittedOf(String key) {
      return extractOutputValues().stream()
          .filter(row -> row.getString(0).toString().equals(key))
          .map(Harness::text)
          .collect(Collectors.toList());
    }

    private static String text(RowData row) {
      return String.format(
          "%d+%d %s%s%s%s %d/%d %d %s..%s",
          row.getLong(3) / MINUTE_MS,
          row.getInt(4) / 60,
          row.getBoolean(5) ? "T" : "",
          row.getBoolean(6) ? "C" : "",
          row.getBoolean(7) ? "R" : "",
          row.getBoolean(8) ? "P" : "",
          row.getLong(11),
          row.getLong(12),
          row.getLong(13),
          row.isNullAt(14) ? "null" : row.getLong(14),
          row.isNullAt(15) ? "null" : row.getLong(15));
    }
  }
}
