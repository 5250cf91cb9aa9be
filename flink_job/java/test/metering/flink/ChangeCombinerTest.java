package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.TimestampType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;

/** Rows of these tests: key, start, interval, day start and length, arrival, and three sums. */
class ChangeCombinerTest {
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final LogicalType LONG = new BigIntType(false);
  private static final LogicalType INT = new IntType(false);
  private static final LogicalType[] TYPES = {
    STRING, LONG, INT, LONG, INT, new TimestampType(3), LONG, LONG, LONG
  };

  @Test
  void rowsOfAKeyAreSummedUntilTheWatermark() throws Exception {
    try (OneInputStreamOperatorTestHarness<RowData, RowData> harness = harness()) {
      harness.open();
      harness.processElement(row("f/a/1", 0, 900, 10, 3));
      harness.processElement(row("f/a", 900_000, 900, 10, 7));
      harness.processElement(row("f/a/2/x", 0, 300, 20, 4));
      harness.processElement(row("b", 0, 0, 0, 1));
      assertEquals(List.of(), emitted(harness));
      harness.processWatermark(new Watermark(1));
      assertEquals(
          List.of(
              "b 0 interval 0 at null: 1 1",
              "f/a 0 interval 300 at 20: 2 7",
              "f/a 900000 interval 900 at 10: 1 7"),
          emitted(harness));
      harness.getOutput().clear();
      harness.processWatermark(new Watermark(2));
      assertEquals(List.of(), emitted(harness));
    }
  }

  @Test
  void nothingIsHeldOverACheckpoint() throws Exception {
    try (OneInputStreamOperatorTestHarness<RowData, RowData> harness = harness()) {
      harness.open();
      harness.processElement(row("a", 0, 900, 10, 3));
      harness.prepareSnapshotPreBarrier(1);
      assertEquals(1, emitted(harness).size());
    }
  }

  private static OneInputStreamOperatorTestHarness<RowData, RowData> harness() throws Exception {
    RowData.FieldGetter[] getters = new RowData.FieldGetter[TYPES.length];
    for (int at = 0; at < TYPES.length; at++) {
      getters[at] = RowData.createFieldGetter(TYPES[at], at);
    }
    RollupColumns columns = new RollupColumns(1, 2, 3, 4, 5, new int[] {6, 7, 8});
    OneInputStreamOperatorTestHarness<RowData, RowData> harness =
        new OneInputStreamOperatorTestHarness<>(
            new ChangeCombiner(0, 2, new int[0], columns, getters));
    harness.setup(InternalTypeInfo.<RowData>ofFields(TYPES).toSerializer());
    return harness;
  }

  private static StreamRecord<RowData> row(
      String key, long startMs, int intervalS, long arrivalMs, long energy) {
    return new StreamRecord<>(
        GenericRowData.of(
            StringData.fromString(key),
            startMs,
            intervalS,
            0L,
            86_400,
            arrivalMs == 0 ? null : TimestampData.fromEpochMillis(arrivalMs),
            1L,
            0L,
            energy),
        startMs);
  }

  private static List<String> emitted(OneInputStreamOperatorTestHarness<RowData, RowData> harness) {
    return harness.extractOutputValues().stream()
        .map(
            row ->
                String.format(
                    "%s %d interval %d at %s: %d %d",
                    row.getString(0),
                    row.getLong(1),
                    row.getInt(2),
                    row.isNullAt(5) ? "null" : row.getTimestamp(5, 3).getMillisecond(),
                    row.getLong(6),
                    row.getLong(8)))
        .sorted()
        .collect(Collectors.toList());
  }
}
