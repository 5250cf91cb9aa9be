package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.TimestampType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;

/** Levels: windows are partial as the changes of their meters say, or by the watermark. */
class PartialWindowTest {
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final ColumnKey KEY = new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final RollupColumns COLUMNS =
      new RollupColumns(1, 2, 3, 4, 5, new int[] {6, 7, 8}, 9, 10);
  private static final long MINUTE_MS = 60_000;

  @Test
  void aWindowIsPartialIfAChangeOfItIs() throws Exception {
    try (KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> rollup = rollup()) {
      rollup.open();
      rollup.processElement(change(0, false, true));
      rollup.processElement(change(60, false, true));
      rollup.processElement(change(60, true, true));
      // The next day, which the input of all meters has passed.
      rollup.processElement(change(24 * 60, false, false));
      rollup.processWatermark(Watermark.MAX_WATERMARK);
      assertEquals(List.of("0+60", "60+60 P", "1440+60", "0+1440 P", "1440+1440"), totals(rollup));
    }
  }

  @Test
  void theWatermarkCountsIfThereIsOne() throws Exception {
    try (KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> rollup = rollup()) {
      rollup.open();
      rollup.processElement(change(0, false, false));
      rollup.processElement(change(60, false, false));
      rollup.processWatermark(new Watermark(75 * MINUTE_MS));
      rollup.processWatermark(Watermark.MAX_WATERMARK);
      assertEquals(List.of("0+60", "60+60 P", "0+1440 P"), totals(rollup));
    }
  }

  private static KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> rollup()
      throws Exception {
    KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> harness =
        new KeyedOneInputStreamOperatorTestHarness<>(
            new WindowRollup(COLUMNS, 1_000_000_000L, 1_000), KEY, KEY.getProducedType());
    LogicalType number = new BigIntType();
    LogicalType flag = new BooleanType();
    LogicalType seconds = new IntType();
    harness.setup(
        InternalTypeInfo.<RowData>ofFields(
                STRING,
                number,
                seconds,
                number,
                seconds,
                flag,
                flag,
                flag,
                flag,
                flag,
                seconds,
                number,
                number,
                number,
                number,
                number,
                new TimestampType(3),
                new TimestampType(3))
            .toSerializer());
    return harness;
  }

  private static StreamRecord<RowData> change(
      long minute, boolean isPartial, boolean isDayPartial) {
    long dayStartMs = Math.floorDiv(minute, 1440) * 1440 * MINUTE_MS;
    return new StreamRecord<>(
        GenericRowData.of(
            StringData.fromString("f/p/l"),
            minute * MINUTE_MS,
            900,
            dayStartMs,
            86_400,
            null,
            1L,
            1L,
            1L,
            isPartial,
            isDayPartial));
  }

  /** The hours and days: minute of the start + minutes, and whether they are partial. */
  private static List<String> totals(
      KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> rollup) {
    return rollup.extractOutputValues().stream()
        .filter(row -> row.getBoolean(5) && row.getInt(4) > 900)
        .map(
            row ->
                row.getLong(3) / MINUTE_MS
                    + "+"
                    + row.getInt(4) / 60
                    + (row.getBoolean(8) ? " P" : ""))
        .collect(Collectors.toList());
  }
}
