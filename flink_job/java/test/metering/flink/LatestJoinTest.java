package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.KeyedTwoInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LatestJoinTest {

  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final ColumnKey KEY = new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final long STARTED_MS = 1000;
  private static final InternalTypeInfo<RowData> LEFT =
      InternalTypeInfo.ofFields(STRING, STRING, new LocalZonedTimestampType(3));
  private static final InternalTypeInfo<RowData> RIGHT =
      InternalTypeInfo.ofFields(
          STRING, STRING, new LocalZonedTimestampType(3), STRING, new LocalZonedTimestampType(3));
  private static final InternalTypeInfo<RowData> JOINED =
      InternalTypeInfo.ofFields(
          STRING,
          STRING,
          new LocalZonedTimestampType(3),
          STRING,
          STRING,
          new LocalZonedTimestampType(3),
          STRING,
          new LocalZonedTimestampType(3));

  @TempDir Path folder;

  @Test
  void joinsTheLatestRowOfTheKey() throws Exception {
    try (Harness join = harness(0, 1, "")) {
      join.open();
      left(join, "a", "1");
      right(join, "a", "old", 5, "1");
      right(join, "b", "other", 5, "1");
      left(join, "a", "2");
      right(join, "a", "new", 6, "1");
      left(join, "a", "3");
      assertEquals(List.of("1=null", "2=old", "3=new"), joined(join));
    }
  }

  @Test
  void dropsOlderVersions() throws Exception {
    try (Harness join = harness(0, 1, "")) {
      join.open();
      right(join, "a", "latest", 6, "100");
      right(join, "a", "older", 5, "101");
      right(join, "a", "earlier at that time", 6, "99");
      left(join, "a", "1");
      right(join, "a", "again", 6, "100");
      left(join, "a", "2");
      assertEquals(List.of("1=latest", "2=again"), joined(join));
    }
  }

  @Test
  void isNotDelayedByWatermarks() throws Exception {
    try (Harness join = harness(0, 1, "")) {
      join.open();
      right(join, "a", "v", 5, "1");
      join.processWatermark1(new Watermark(1));
      join.processWatermarkStatus2(WatermarkStatus.IDLE);
      left(join, "a", "1");
      join.processWatermark1(Watermark.MAX_WATERMARK);
      left(join, "a", "2");
      assertEquals(List.of("1=v", "2=v"), joined(join));
      assertEquals(1, join.numKeyedStateEntries());
    }
  }

  @Test
  void emitsTheRowKindOfTheLeftRow() throws Exception {
    try (Harness join = harness(0, 1, "")) {
      join.open();
      RowData left = row("a", "1", TimestampData.fromEpochMillis(1));
      left.setRowKind(RowKind.UPDATE_AFTER);
      join.processElement1(new StreamRecord<>(left));
      assertEquals(RowKind.UPDATE_AFTER, join.extractOutputValues().get(0).getRowKind());
    }
  }

  @Test
  void readsTheRowsOfItsKeysFromTheSnapshot() throws Exception {
    String uri = snapshot(200, "stored");
    List<String> found = new ArrayList<>();
    for (int subtask = 0; subtask < 3; subtask++) {
      try (Harness join = harness(subtask, 3, uri)) {
        join.open();
        assertTrue(join.numKeyedStateEntries() > 0 && join.numKeyedStateEntries() < 200);
        for (int key = 0; key < 200; key++) {
          if (join.owns("k" + key)) {
            left(join, "k" + key, "" + key);
          }
        }
        found.addAll(joined(join));
      }
    }
    assertEquals(200, found.stream().distinct().filter(row -> row.endsWith("=stored")).count());
  }

  @Test
  void aNewerRowReplacesThatOfTheSnapshot() throws Exception {
    try (Harness join = harness(0, 1, snapshot(1, "stored"))) {
      join.open();
      right(join, "k0", "superseded", 9, "7");
      left(join, "k0", "1");
      right(join, "k0", "newer", 11, "8");
      left(join, "k0", "2");
      assertEquals(List.of("1=stored", "2=newer"), joined(join));
    }
  }

  @Test
  void aRestoredOperatorDoesNotReadTheSnapshot() throws Exception {
    OperatorSubtaskState state;
    try (Harness join = harness(0, 1, snapshot(2, "stored"))) {
      join.open();
      right(join, "k0", "newer", 11, "8");
      state = join.snapshot(1, 1);
    }
    try (Harness join = harness(0, 1, snapshot(3, "exported later"))) {
      join.initializeState(state);
      join.open();
      left(join, "k0", "0");
      left(join, "k1", "1");
      left(join, "k2", "2");
      assertEquals(List.of("0=newer", "1=stored", "2=null"), joined(join));
    }
  }

  @Test
  void leftRowsWaitUntilTheWatermarkOfTheRightInputReachesTheStart() throws Exception {
    try (Harness join = waitingHarness()) {
      join.open();
      right(join, "a", "superseded", 5, "1");
      left(join, "a", "1");
      left(join, "b", "2");
      join.processWatermark2(new Watermark(STARTED_MS - 1));
      right(join, "a", "v", 6, "2");
      left(join, "a", "3");
      assertEquals(List.of(), joined(join));
      join.processWatermark2(new Watermark(STARTED_MS));
      left(join, "a", "4");
      assertEquals(List.of("1=v", "2=null", "3=v", "4=v"), joined(join));
      assertEquals(1, join.numKeyedStateEntries());
    }
  }

  @Test
  void leftRowsThatWaitAreRestored() throws Exception {
    OperatorSubtaskState state;
    try (Harness join = waitingHarness()) {
      join.open();
      left(join, "a", "1");
      state = join.snapshot(1, 1);
    }
    try (Harness join = waitingHarness()) {
      join.initializeState(state);
      join.open();
      left(join, "a", "2");
      right(join, "a", "v", 5, "1");
      join.processWatermark2(Watermark.MAX_WATERMARK);
      assertEquals(List.of("1=v", "2=v"), joined(join));
    }
  }

  @Test
  void emitsTheLatestRowsAsUpdatesAtTheHeadAndLaterOnesAsTheyArrive() throws Exception {
    try (Harness join = waitingHarness()) {
      join.open();
      right(join, "a", "superseded", 5, "1");
      right(join, "a", "v", 6, "1");
      assertEquals(null, join.getSideOutput(join.operator.updates()));
      join.processWatermark2(new Watermark(STARTED_MS));
      right(join, "a", "w", 7, "1");
      right(join, "a", "older", 5, "2");
      right(join, "b", "x", 5, "3");
      assertEquals(List.of("a=v<null", "a=w<v", "b=x<null"), updates(join));
    }
  }

  @Test
  void aRestoredOperatorEmitsWhatReplacesARowBeforeTheHead() throws Exception {
    OperatorSubtaskState state;
    try (Harness join = waitingHarness()) {
      join.open();
      right(join, "a", "v", 6, "1");
      state = join.snapshot(1, 1);
    }
    try (Harness join = waitingHarness()) {
      join.initializeState(state);
      join.open();
      right(join, "a", "w", 7, "1");
      right(join, "b", "x", 5, "3");
      assertEquals(List.of("a=w<v"), updates(join));
      join.processWatermark2(new Watermark(STARTED_MS));
      assertEquals(
          List.of("a=w<null", "a=w<v", "b=x<null"),
          updates(join).stream().sorted().collect(Collectors.toList()));
    }
  }

  @Test
  void startsEmptyIfTheFileDoesNotExist() throws Exception {
    try (Harness join = harness(0, 1, folder.resolve("missing.gz").toUri().toString())) {
      join.open();
      left(join, "k0", "1");
      assertEquals(List.of("1=null"), joined(join));
    }
  }

  @Test
  void failsIfTheFileIsNotASnapshot() throws Exception {
    for (String line :
        List.of("{\"key\":\"a\"", "{\"key\":\"a\",\"value\":\"v\",\"position\":\"1\"}", "[1]")) {
      String uri = write(line);
      try (Harness join = harness(0, 1, uri)) {
        IOException error = assertThrows(IOException.class, join::open);
        assertTrue(
            error.getMessage().startsWith("Snapshot " + uri + " cannot be read: "),
            error.getMessage());
      }
    }
    Path plain = Files.writeString(folder.resolve("plain.gz"), "{}");
    try (Harness join = harness(0, 1, plain.toUri().toString())) {
      assertThrows(IOException.class, join::open);
    }
  }

  private String snapshot(int keys, String value) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int key = 0; key < keys; key++) {
      lines.append(
          String.format(
              "{\"key\":\"k%d\",\"value\":\"%s\",\"version_ms\":10,\"position\":\"7\",\"more\":1}%n",
              key, value));
    }
    return write(lines.toString());
  }

  private String write(String lines) throws IOException {
    Path file = Files.createTempFile(folder, "snapshot", ".ndjson.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      out.write(lines.getBytes(StandardCharsets.UTF_8));
    }
    return file.toUri().toString();
  }

  /** A join whose snapshot is complete, so that left rows do not wait. */
  private static Harness harness(int subtask, int subtasks, String uri) throws Exception {
    return harness(subtask, subtasks, uri, true);
  }

  /** A join whose left rows wait until its right input has been read up to its head. */
  private static Harness waitingHarness() throws Exception {
    Harness join = harness(0, 1, "", false);
    join.setProcessingTime(STARTED_MS);
    return join;
  }

  private static Harness harness(int subtask, int subtasks, String uri, boolean isComplete)
      throws Exception {
    Snapshot snapshot = new Snapshot(uri, "us-east-1", "");
    return new Harness(
        new LatestJoin(LEFT, 2, RIGHT, KEY, snapshot, isComplete), subtask, subtasks);
  }

  /** The updates, as {@code key=value<previous value}. */
  private static List<String> updates(Harness join) {
    return join.getSideOutput(join.operator.updates()).stream()
        .map(StreamRecord::getValue)
        .map(row -> row.getString(0) + "=" + row.getString(1) + "<" + row.getString(2))
        .collect(Collectors.toList());
  }

  /** Processes a left row whose time is its value. */
  private static void left(Harness join, String key, String value) throws Exception {
    TimestampData time = TimestampData.fromEpochMillis(Long.parseLong(value));
    join.processElement1(new StreamRecord<>(row(key, value, time)));
  }

  private static void right(Harness join, String key, String value, long versionMs, String position)
      throws Exception {
    TimestampData version = TimestampData.fromEpochMillis(versionMs);
    join.processElement2(new StreamRecord<>(row(key, value, version, position, version)));
  }

  private static RowData row(Object... fields) {
    Object[] internal = new Object[fields.length];
    for (int at = 0; at < fields.length; at++) {
      internal[at] =
          fields[at] instanceof String ? StringData.fromString((String) fields[at]) : fields[at];
    }
    return GenericRowData.of(internal);
  }

  /** The emitted rows, as {@code left value=right value}. */
  private static List<String> joined(Harness join) {
    return join.extractOutputValues().stream()
        .map(row -> row.getString(1) + "=" + row.getString(4))
        .collect(Collectors.toList());
  }

  private static final class Harness
      extends KeyedTwoInputStreamOperatorTestHarness<RowData, RowData, RowData, RowData> {

    private static final int MAX_PARALLELISM = 128;

    private final LatestJoin operator;
    private final int subtask;
    private final int subtasks;

    Harness(LatestJoin join, int subtask, int subtasks) throws Exception {
      super(join, KEY, KEY, KEY.getProducedType(), MAX_PARALLELISM, subtasks, subtask);
      this.operator = join;
      this.subtask = subtask;
      this.subtasks = subtasks;
      setup(JOINED.toSerializer());
    }

    boolean owns(String key) {
      return KeyGroupRangeAssignment.assignKeyToParallelOperator(
              KEY.getKey(row(key)), MAX_PARALLELISM, subtasks)
          == subtask;
    }
  }
}
