package metering.flink;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;

class FramingTest {
  private static List<RowData> split(byte[] payload) {
    List<RowData> rows = new ArrayList<>();
    new SplitRecords(1)
        .flatMap(
            GenericRowData.of(StringData.fromString("other"), payload), new ListCollector<>(rows));
    rows.forEach(row -> assertEquals("other", row.getString(0).toString()));
    return rows;
  }

  private static List<String> parts(String record) {
    List<String> found = new ArrayList<>();
    List<RowData> rows = split(record.getBytes(UTF_8));
    for (RowData row : rows) {
      found.add(new String(row.getBinary(2), UTF_8));
      assertEquals(found.size(), row.getInt(3));
      assertEquals(rows.size(), row.getInt(4));
    }
    return found;
  }

  private static void assertWhole(String record) {
    assertEquals(List.of(record), parts(record));
  }

  @Test
  void oneReadingIsNotCopied() {
    for (String record :
        List.of("{\"a\": 1}", "", " \n", "no JSON", "{\n \"a\": [1,\n 2]\n}\n", "{\"a\":")) {
      byte[] payload = record.getBytes(UTF_8);
      assertSame(payload, split(payload).get(0).getBinary(2), record);
    }
    assertEquals(1, split(null).size());
  }

  @Test
  void elementsOfAnArray() {
    assertEquals(
        List.of("{\"a\":1}", "{\"b\":[1,{}]}", "5"),
        parts("\n [ {\"a\":1},{\"b\":[1,{}]} ,\t5 ]\r\n"));
    assertEquals(List.of("{}"), parts("[{}]"));
  }

  @Test
  void linesOfObjects() {
    assertEquals(List.of("{\"a\":1}", "{\"b\":2}"), parts("{\"a\":1}\r\n\n{\"b\":2}\n"));
    assertEquals(List.of("{\n\"a\": [\n{}]}", "{}"), parts("{\n\"a\": [\n{}]}\n  {}"));
  }

  @Test
  void oneObjectOverSeveralLines() {
    assertWhole("{\"a\": [\n{\"b\": 1},\n{\"c\": 2}\n]}");
    assertWhole("{\"a\":\n{\"b\": 1}}\n");
  }

  @Test
  void bracketsInStrings() {
    assertEquals(
        List.of("{\"a\":\"]},\\\"[{\\\\\"}", "{}"), parts("[{\"a\":\"]},\\\"[{\\\\\"},{}]"));
    assertEquals(List.of("{\"ä\":\"}\"}", "{}"), parts("{\"ä\":\"}\"}\n{}"));
  }

  @Test
  void brokenFramingIsNotSplit() {
    for (String record :
        List.of(
            "[{},",
            "[{},{}",
            "[{},{]}",
            "[{},,{}]",
            "[{},]",
            "[]",
            "[1,2]",
            "[{}] x",
            "[{}}]",
            "[{\"a]",
            "{}\n{",
            "{}\n{]",
            "{} {}\n{}",
            "{}\n{}x",
            "{}\n{},",
            "{\"a\n{}")) {
      assertWhole(record);
    }
  }

  @Test
  void boundsOfPartsAndDepth() {
    String most = "{}\n".repeat(Framing.MAX_PARTS);
    assertEquals(Framing.MAX_PARTS, parts(most).size());
    assertWhole(most + "{}\n");
    String deepest = "[".repeat(Framing.MAX_DEPTH) + "]".repeat(Framing.MAX_DEPTH);
    assertEquals(2, parts("[{}," + deepest + "]").size());
    assertWhole("[{},[" + deepest + "]]");
  }
}
