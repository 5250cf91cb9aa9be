package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.co.KeyedCoProcessOperator;
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
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Left rows: key STRING, value STRING, time. Right rows: time, key STRING, value STRING. */
class AsOfJoinTest {
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final LogicalType TIME = new LocalZonedTimestampType(false, 3);
  private static final LogicalType NESTED = RowType.of(new BigIntType(), STRING);
  private static final ColumnKey LEFT_KEY =
      new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final ColumnKey RIGHT_KEY =
      new ColumnKey(new int[] {1}, new LogicalType[] {STRING});

  private Harness join;

  @BeforeEach
  void open() throws Exception {
    join = Harness.simple();
    join.open();
  }

  @AfterEach
  void close() throws Exception {
    join.close();
  }

  @Test
  void joinsTheVersionOfTheTimeOfTheRow() throws Exception {
    join.right("a", "v10", 10);
    join.right("a", "v20", 20);
    join.right("b", "other", 5);
    for (long time : new long[] {9, 10, 19, 20, 21}) {
      join.left("a", "" + time, time);
    }
    join.watermark(30);
    assertEquals(List.of("9=null", "10=v10", "19=v10", "20=v20", "21=v20"), join.emitted());
  }

  @Test
  void rowsWaitForTheWatermarksOfBothInputs() throws Exception {
    join.left("a", "1", 10);
    join.processWatermark1(new Watermark(100));
    join.processWatermark2(new Watermark(9));
    assertEquals(List.of(), join.emitted());
    join.right("a", "arrived later", 10);
    join.processWatermark2(new Watermark(10));
    assertEquals(List.of("1=arrived later"), join.emitted());
  }

  @Test
  void anIdleInputDoesNotHoldRowsBack() throws Exception {
    join.left("a", "1", 10);
    join.processWatermark1(new Watermark(20));
    join.processWatermarkStatus2(WatermarkStatus.IDLE);
    assertEquals(List.of("1=null"), join.emitted());
  }

  @Test
  void endedInputsEmitAllRows() throws Exception {
    join.left("a", "1", 10);
    join.right("a", "v", 5);
    join.processWatermark2(Watermark.MAX_WATERMARK);
    assertEquals(List.of(), join.emitted());
    join.processWatermark1(Watermark.MAX_WATERMARK);
    assertEquals(List.of("1=v"), join.emitted());
  }

  @Test
  void rowsOfAKeyKeepTheirOrderOfArrival() throws Exception {
    for (int number = 0; number < 300; number++) {
      join.left("a", "" + number, number % 2 == 0 ? 10 : 5);
    }
    join.watermark(10);
    List<String> found = join.emitted();
    assertEquals(300, found.size());
    for (int number = 0; number < 300; number++) {
      assertEquals(number + "=null", found.get(number));
    }
  }

  @Test
  void versionsMayArriveInAnyOrder() throws Exception {
    join.right("a", "v20", 20);
    join.right("a", "v10", 10);
    join.right("a", "v10 again", 10);
    join.left("a", "1", 15);
    join.left("a", "2", 25);
    join.watermark(30);
    assertEquals(List.of("1=v10 again", "2=v20"), join.emitted());
  }

  @Test
  void onlyTheLatestVersionIsRetainedWithoutLimit() throws Exception {
    for (long time = 1; time <= 5; time++) {
      join.right("a", "v" + time, time);
    }
    join.watermark(4);
    join.left("a", "late", 2);
    join.left("a", "1", 4);
    join.left("a", "2", 1000);
    join.watermark(2000);
    assertEquals(List.of("late=null", "1=v4", "2=v5"), join.emitted());
    assertEquals(1, join.numKeyedStateEntries());
    assertEquals(0, join.numEventTimeTimers());
  }

  @Test
  void supersededVersionsAreRemovedWithoutFurtherRows() throws Exception {
    join.right("a", "v1", 1);
    join.right("a", "v5", 5);
    join.watermark(1);
    assertEquals(1, join.numEventTimeTimers());
    join.watermark(5);
    OperatorSubtaskState state = join.snapshot(1, 1);
    try (Harness restored = Harness.simple()) {
      restored.initializeState(state);
      restored.open();
      restored.left("a", "1", 4);
      restored.watermark(5);
      assertEquals(List.of("1=null"), restored.emitted());
    }
  }

  @Test
  void aKeyHasOneTimerAtItsEarliestTime() throws Exception {
    join.left("a", "1", 30);
    join.left("a", "2", 10);
    join.right("a", "v", 20);
    assertEquals(1, join.numEventTimeTimers());
    join.watermark(10);
    assertEquals(1, join.numEventTimeTimers());
    join.watermark(29);
    assertEquals(List.of("2=null"), join.emitted());
    join.watermark(30);
    assertEquals(List.of("2=null", "1=v"), join.emitted());
    assertEquals(0, join.numEventTimeTimers());
  }

  @Test
  void aKeyWithoutVersionsHasNoStateOnceItsRowsAreEmitted() throws Exception {
    join.left("a", "1", 10);
    join.left("b", "2", 20);
    assertEquals(6, join.numKeyedStateEntries());
    join.watermark(10);
    assertEquals(3, join.numKeyedStateEntries());
    join.watermark(20);
    assertEquals(0, join.numKeyedStateEntries());
  }

  @Test
  void waitingRowsVersionsAndTimersAreRestored() throws Exception {
    join.right("a", "v10", 10);
    join.watermark(12);
    join.left("a", "1", 15);
    join.left("a", "2", 14);
    OperatorSubtaskState state = join.snapshot(1, 1);
    try (Harness restored = Harness.simple()) {
      restored.initializeState(state);
      restored.open();
      assertEquals(1, restored.numEventTimeTimers());
      restored.left("a", "3", 13);
      restored.watermark(13);
      assertEquals(List.of("3=v10"), restored.emitted());
      restored.watermark(20);
      assertEquals(List.of("3=v10", "1=v10", "2=v10"), restored.emitted());
    }
  }

  @Test
  void theRowKindOfTheLeftRowIsEmitted() throws Exception {
    GenericRowData left = Harness.row("a", "1", TimestampData.fromEpochMillis(10));
    left.setRowKind(RowKind.UPDATE_AFTER);
    join.processElement1(new StreamRecord<>(left));
    join.watermark(10);
    assertEquals(RowKind.UPDATE_AFTER, join.extractOutputValues().get(0).getRowKind());
  }

  @Test
  void rowsOfEveryTypeAreEmittedAsTheyArrived() throws Exception {
    LogicalType[] types = {
      STRING, new BigIntType(), new IntType(), new VarBinaryType(9), TIME, NESTED
    };
    try (Harness first = Harness.of(types, LEFT_KEY, 4, types, LEFT_KEY, 4)) {
      first.open();
      first.processElement2(new StreamRecord<>(full("a", 5)));
      first.processElement1(new StreamRecord<>(full("a", 6)));
      first.processElement1(
          new StreamRecord<>(
              GenericRowData.of(
                  StringData.fromString("b"),
                  null,
                  null,
                  null,
                  TimestampData.fromEpochMillis(7),
                  null)));
      OperatorSubtaskState state = first.snapshot(1, 1);
      try (Harness restored = Harness.of(types, LEFT_KEY, 4, types, LEFT_KEY, 4)) {
        restored.initializeState(state);
        restored.open();
        restored.watermark(10);
        List<RowData> rows = restored.extractOutputValues();
        assertEquals(2, rows.size());
        assertFull(rows.get(0), 0, "a", 6);
        assertFull(rows.get(0), types.length, "a", 5);
        assertEquals("b", rows.get(1).getString(0).toString());
        for (int column : new int[] {1, 2, 3, 5, 6, 7, 8, 9, 10, 11}) {
          assertEquals(true, rows.get(1).isNullAt(column), "column " + column);
        }
      }
    }
  }

  private static RowData full(String key, long time) {
    return GenericRowData.of(
        StringData.fromString(key),
        Long.MIN_VALUE,
        -7,
        new byte[] {0, -1, (byte) time},
        TimestampData.fromEpochMillis(time),
        GenericRowData.of(Long.MAX_VALUE, StringData.fromString("ä" + time)));
  }

  private static void assertFull(RowData row, int from, String key, long time) {
    assertEquals(key, row.getString(from).toString());
    assertEquals(Long.MIN_VALUE, row.getLong(from + 1));
    assertEquals(-7, row.getInt(from + 2));
    assertArrayEquals(new byte[] {0, -1, (byte) time}, row.getBinary(from + 3));
    assertEquals(time, row.getTimestamp(from + 4, 3).getMillisecond());
    assertEquals(Long.MAX_VALUE, row.getRow(from + 5, 2).getLong(0));
    assertEquals("ä" + time, row.getRow(from + 5, 2).getString(1).toString());
  }

  private static final class Harness
      extends KeyedTwoInputStreamOperatorTestHarness<RowData, RowData, RowData, RowData> {

    private Harness(AsOfJoin function, ColumnKey leftKey, ColumnKey rightKey) throws Exception {
      super(new KeyedCoProcessOperator<>(function), leftKey, rightKey, leftKey.getProducedType());
    }

    static Harness simple() throws Exception {
      LogicalType[] left = {STRING, STRING, TIME};
      LogicalType[] right = {TIME, STRING, STRING};
      return of(left, LEFT_KEY, 2, right, RIGHT_KEY, 0);
    }

    static Harness of(
        LogicalType[] left,
        ColumnKey leftKey,
        int leftTime,
        LogicalType[] right,
        ColumnKey rightKey,
        int rightTime)
        throws Exception {
      AsOfJoin function =
          new AsOfJoin(
              InternalTypeInfo.ofFields(left),
              InternalTypeInfo.ofFields(right),
              leftTime,
              rightTime,
              right.length);
      Harness harness = new Harness(function, leftKey, rightKey);
      LogicalType[] both = new LogicalType[left.length + right.length];
      System.arraycopy(left, 0, both, 0, left.length);
      for (int at = 0; at < right.length; at++) {
        both[left.length + at] = right[at].copy(true);
      }
      harness.setup(InternalTypeInfo.ofFields(both).toSerializer());
      return harness;
    }

    static GenericRowData row(Object... fields) {
      Object[] internal = new Object[fields.length];
      for (int at = 0; at < fields.length; at++) {
        internal[at] =
            fields[at] instanceof String ? StringData.fromString((String) fields[at]) : fields[at];
      }
      return GenericRowData.of(internal);
    }

    void left(String key, String value, long time) throws Exception {
      processElement1(new StreamRecord<>(row(key, value, TimestampData.fromEpochMillis(time))));
    }

    void right(String key, String value, long time) throws Exception {
      processElement2(new StreamRecord<>(row(TimestampData.fromEpochMillis(time), key, value)));
    }

    void watermark(long time) throws Exception {
      processWatermark1(new Watermark(time));
      processWatermark2(new Watermark(time));
    }

    /** The emitted rows, as {@code left value=right value}. */
    List<String> emitted() {
      return extractOutputValues().stream()
          .map(row -> row.getString(1) + "=" + (row.isNullAt(5) ? null : row.getString(5)))
          .collect(Collectors.toList());
    }
  }
}
