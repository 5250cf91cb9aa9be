package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GroupJoinTest {

  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final LogicalType TIME = new LocalZonedTimestampType(3);
  private static final InternalTypeInfo<RowData> ROW =
      InternalTypeInfo.ofFields(STRING, STRING, TIME, STRING, TIME, STRING, STRING, STRING, STRING);
  private static final InternalTypeInfo<RowData> EMITTED =
      InternalTypeInfo.ofFields(STRING, STRING, TIME, STRING, TIME);
  private static final ColumnKey PARTITION =
      new ColumnKey(new int[] {5}, new LogicalType[] {STRING});

  @TempDir Path folder;

  @Test
  void attachesWhatAGroupProvidesAndEmitsAgainWhenItChanges() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      sub(join, "a", 1, "s");
      terms(join, "s", "T1", 2);
      sub(join, "b", 3, "s");
      terms(join, "s", "T2", 4);
      assertEquals(
          List.of("a@1=a", "a@2=a|s=T1", "b@3=b|s=T1", "a@4=a|s=T2", "b@4=b|s=T2"), emitted(join));
    }
  }

  @Test
  void dropsOlderRowsAndRepeats() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      sub(join, "a", 1, "s");
      terms(join, "s", "T2", 5);
      terms(join, "s", "T1", 4);
      terms(join, "s", "T2", 5);
      assertEquals(List.of("a@1=a", "a@5=a|s=T2"), emitted(join));
    }
  }

  @Test
  void theProviderWithTheFirstNameCounts() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      sub(join, "z", 1, "g");
      put(join, "n", "N", 2, "", "g");
      put(join, "o", "O", 3, "", "g");
      put(join, "m", "M", 4, "", "g");
      put(join, "m", "M2", 5, "", "");
      assertEquals(List.of("z@1=z", "z@2=z|g=N", "z@4=z|g=M", "z@4=z|g=N"), of(join, "z"));
    }
  }

  @Test
  void aRowIsNotAttachedToItselfAndARepeatedOneIsShort() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      put(join, "m", "M", 1, "own", "own\u001eother");
      put(join, "n", "N", 2, "own\u001eother", "");
      assertEquals(List.of("m@1=M", "n@2=N|own=M|other="), emitted(join));
    }
  }

  @Test
  void aRowThatNoLongerListensIsNotEmittedAgain() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      sub(join, "a", 1, "s");
      put(join, "a", "alone", 2, "", "");
      terms(join, "s", "T", 3);
      assertEquals(List.of("a@1=a", "a@2=alone"), emitted(join));
    }
  }

  /** Its new group has an older provider: a later join must not take it for an older row. */
  @Test
  void versionsNeverFall() throws Exception {
    try (Harness join = harness("")) {
      join.open();
      terms(join, "old", "O", 5);
      terms(join, "new", "N", 20);
      sub(join, "a", 10, "new");
      sub(join, "a", 15, "old");
      assertEquals(List.of("a@20=a|new=N", "a@20=a|old=O"), emitted(join));
    }
  }

  @Test
  void partitionsAreApartAndStateIsRestored() throws Exception {
    OperatorSubtaskState state;
    try (Harness join = harness("")) {
      join.open();
      sub(join, "a", 1, "s");
      join.processElement(row(null, "foreign", 2, "other", "x", "", "s"));
      state = join.snapshot(1, 1);
      assertEquals(List.of("a@1=a"), emitted(join));
    }
    try (Harness join = harness("")) {
      join.initializeState(state);
      join.open();
      terms(join, "s", "T", 3);
      assertEquals(List.of("a@3=a|s=T"), emitted(join));
    }
  }

  @Test
  void withoutStateItStartsFromTheSnapshotAndEmitsNothingOfIt() throws Exception {
    Path file = folder.resolve("snapshot.gz");
    String line =
        "{\"key\":\"a\",\"value\":\"stored\",\"version_ms\":7,\"position\":\"1\",\"member\":"
            + "{\"partition\":\"p\",\"name\":\"a\",\"listens\":\"s\",\"provides\":\"\"}}\n"
            + "{\"key\":\"a\",\"value\":\"stored|attached\",\"version_ms\":7,\"position\":\"1\"}\n";
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      out.write(line.getBytes(StandardCharsets.UTF_8));
    }
    try (Harness join = harness(file.toString())) {
      join.open();
      assertEquals(List.of(), emitted(join));
      terms(join, "s", "T", 9);
      assertEquals(List.of("a@9=stored|s=T"), emitted(join));
    }
  }

  private static void sub(Harness join, String name, long version, String group) throws Exception {
    put(join, name, name, version, group, "");
  }

  private static void terms(Harness join, String group, String value, long version)
      throws Exception {
    join.processElement(row(null, value, version, "p", "terms " + group, "", group));
  }

  private static void put(
      Harness join, String name, String value, long version, String listens, String provides)
      throws Exception {
    join.processElement(row(name, value, version, "p", name, listens, provides));
  }

  private static StreamRecord<RowData> row(
      String key,
      String value,
      long version,
      String partition,
      String name,
      String listens,
      String provides) {
    TimestampData time = TimestampData.fromEpochMillis(version);
    return new StreamRecord<>(
        GenericRowData.of(
            StringData.fromString(key),
            StringData.fromString(value),
            time,
            StringData.fromString("1"),
            time,
            StringData.fromString(partition),
            StringData.fromString(name),
            StringData.fromString(listens),
            StringData.fromString(provides)));
  }

  private static List<String> of(Harness join, String key) {
    return emitted(join).stream()
        .filter(row -> row.startsWith(key + "@"))
        .collect(Collectors.toList());
  }

  /** The emitted rows as key@version=value, with | before attachments. */
  private static List<String> emitted(Harness join) {
    List<String> rows = new ArrayList<>();
    for (RowData row : join.extractOutputValues()) {
      String value = row.getString(1).toString().replace('\u001e', '|').replace('\u001d', '=');
      rows.add(row.getString(0) + "@" + row.getTimestamp(2, 3).getMillisecond() + "=" + value);
    }
    return rows;
  }

  private static Harness harness(String snapshot) throws Exception {
    Harness join = new Harness(new GroupJoin(ROW, PARTITION, new Snapshot(snapshot, "", "")));
    join.setup(EMITTED.toSerializer());
    return join;
  }

  private static final class Harness
      extends KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> {
    Harness(GroupJoin join) throws Exception {
      super(join, PARTITION, PARTITION.getProducedType());
    }
  }
}
