package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.junit.jupiter.api.Test;

class LatenessTaggerTest {
  private static final long WINDOW = 900;

  private static OneInputStreamOperatorTestHarness<RowData, RowData> harness(
      int subtask, OperatorSubtaskState state) throws Exception {
    OneInputStreamOperatorTestHarness<RowData, RowData> harness =
        new OneInputStreamOperatorTestHarness<>(new LatenessTagger(0, WINDOW), 10, 2, subtask);
    harness.setup(new RowDataSerializer(new BigIntType(), new BooleanType()));
    if (state != null) {
      harness.initializeState(state);
    }
    harness.open();
    return harness;
  }

  private static void read(
      OneInputStreamOperatorTestHarness<RowData, RowData> harness, long... starts)
      throws Exception {
    for (long start : starts) {
      harness.processElement(GenericRowData.of(start), start);
    }
  }

  private static List<Boolean> tags(OneInputStreamOperatorTestHarness<RowData, RowData> harness) {
    return harness.extractOutputValues().stream()
        .map(row -> row.getBoolean(1))
        .collect(Collectors.toList());
  }

  @Test
  void aRowIsLateOnceTheWatermarkHasPassedItsWindow() throws Exception {
    try (var harness = harness(0, null)) {
      read(harness, 0, 899);
      harness.processWatermark(898);
      read(harness, 0, 899);
      // A window ends with its last millisecond.
      harness.processWatermark(899);
      read(harness, 0, 899, 900);
      assertEquals(List.of(false, false, false, false, true, true, false), tags(harness));
    }
  }

  @Test
  void windowsBeforeTheEpochAreWindowsToo() throws Exception {
    try (var harness = harness(0, null)) {
      harness.processWatermark(-1);
      read(harness, -900, -1, 0);
      assertEquals(List.of(true, true, false), tags(harness));
    }
  }

  @Test
  void whatWasLateBeforeARestartIsLateAfterIt() throws Exception {
    OperatorSubtaskState first;
    OperatorSubtaskState second;
    try (var harness = harness(0, null)) {
      harness.processWatermark(5_000);
      first = harness.snapshot(1, 1);
    }
    try (var harness = harness(1, null)) {
      harness.processWatermark(1_000);
      second = harness.snapshot(1, 1);
    }
    OperatorSubtaskState both = AbstractStreamOperatorTestHarness.repackageState(first, second);
    for (int subtask = 0; subtask < 2; subtask++) {
      OperatorSubtaskState own =
          AbstractStreamOperatorTestHarness.repartitionOperatorState(both, 10, 2, 2, subtask);
      try (var harness = harness(subtask, own)) {
        // No watermark yet; both continue with the highest, 5,000, which has passed the window of
        // 3,600 to 4,499.
        read(harness, 4_499, 4_500);
        // A lower watermark changes nothing.
        harness.processWatermark(0);
        read(harness, 4_499);
        assertEquals(List.of(true, false, true), tags(harness));
      }
    }
  }

  @Test
  void afterTheEndOfTheInputTheWindowsThatThereWereAreClosed() throws Exception {
    OperatorSubtaskState state;
    try (var harness = harness(0, null)) {
      read(harness, 900);
      harness.processWatermark(Watermark.MAX_WATERMARK);
      state = harness.snapshot(1, 1);
    }
    try (var harness = harness(0, state)) {
      read(harness, 900, 1_799, 1_800);
      assertEquals(List.of(true, true, false), tags(harness));
    }
  }

  @Test
  void timestampsAndWatermarksPass() throws Exception {
    try (var harness = harness(0, null)) {
      read(harness, 42);
      harness.processWatermark(7);
      assertEquals(
          List.of(42L),
          harness.extractOutputStreamRecords().stream()
              .map(record -> record.getTimestamp())
              .collect(Collectors.toList()));
      assertEquals(new Watermark(7), harness.getOutput().toArray()[1]);
    }
  }
}
