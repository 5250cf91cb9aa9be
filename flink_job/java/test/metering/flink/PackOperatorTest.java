package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PackOperatorTest {
  private static final SerializationSchema<RowData> TEXT =
      row -> row.getString(0).toString().getBytes(StandardCharsets.UTF_8);

  private OneInputStreamOperatorTestHarness<RowData, RowData> operator;

  @BeforeEach
  void open() throws Exception {
    operator = opened(new PackLimits(new MemorySize(10), 4, Duration.ofMillis(1000)));
  }

  @AfterEach
  void close() throws Exception {
    operator.close();
  }

  private static OneInputStreamOperatorTestHarness<RowData, RowData> opened(PackLimits limits)
      throws Exception {
    OneInputStreamOperatorTestHarness<RowData, RowData> harness =
        new OneInputStreamOperatorTestHarness<>(
            new PackOperator(TEXT, limits), new RowDataSerializer(new VarCharType()));
    harness.setup(new RowDataSerializer(new VarBinaryType()));
    harness.open();
    harness.setProcessingTime(5000);
    return harness;
  }

  private void write(String... rows) throws Exception {
    for (String row : rows) {
      operator.processElement(GenericRowData.of(StringData.fromString(row)), 0);
    }
  }

  private List<String> records() {
    return operator.extractOutputValues().stream()
        .map(row -> new String(row.getBinary(0), StandardCharsets.UTF_8))
        .collect(Collectors.toList());
  }

  @Test
  void rowsWaitUntilTheNextWouldExceedTheSize() throws Exception {
    write("{aa}", "{bb}");
    assertEquals(List.of(), records());
    write("{cc}");
    assertEquals(List.of("{aa}{bb}"), records());
  }

  @Test
  void aRecordOfExactlyTheSizeIsComplete() throws Exception {
    write("{aaa}", "{bbb}");
    assertEquals(List.of("{aaa}{bbb}"), records());
  }

  @Test
  void aRecordHasAtMostTheNumberOfRows() throws Exception {
    write("a", "b", "c", "d", "e");
    assertEquals(List.of("abcd"), records());
  }

  @Test
  void aRowLargerThanTheSizeIsARecordOfItsOwn() throws Exception {
    write("{a}", "{larger than ten}", "{b}", "{c}");
    operator.endInput();
    assertEquals(List.of("{a}", "{larger than ten}", "{b}{c}"), records());
  }

  @Test
  void aRecordIsCompleteWhenItsFirstRowIsAsOldAsTheLinger() throws Exception {
    write("{a}");
    operator.setProcessingTime(5900);
    write("{b}");
    operator.setProcessingTime(5999);
    assertEquals(List.of(), records());
    operator.setProcessingTime(6000);
    assertEquals(List.of("{a}{b}"), records());
  }

  @Test
  void theLingerOfARecordBeginsWithItsOwnFirstRow() throws Exception {
    write("a", "b", "c", "d");
    operator.setProcessingTime(5500);
    write("{e}");
    operator.setProcessingTime(6000);
    assertEquals(List.of("abcd"), records());
    operator.setProcessingTime(6500);
    assertEquals(List.of("abcd", "{e}"), records());
    operator.setProcessingTime(20_000);
    write("{f}");
    operator.setProcessingTime(21_000);
    assertEquals(List.of("abcd", "{e}", "{f}"), records());
  }

  @Test
  void atMostOneTimerIsPending() throws Exception {
    for (int record = 0; record < 100; record++) {
      write("a", "b", "c", "d");
    }
    assertEquals(1, operator.getProcessingTimeService().getNumActiveTimers());
  }

  @Test
  void aCheckpointEmitsBufferedRows() throws Exception {
    write("{a}", "{b}");
    operator.prepareSnapshotPreBarrier(1);
    assertEquals(List.of("{a}{b}"), records());
    operator.prepareSnapshotPreBarrier(2);
    operator.setProcessingTime(10_000);
    assertEquals(List.of("{a}{b}"), records());
  }

  @Test
  void theEndOfTheInputEmitsBufferedRows() throws Exception {
    write("{a}", "{b}");
    operator.endInput();
    assertEquals(List.of("{a}{b}"), records());
  }

  @Test
  void everyRowIsInOneRecordInOrder() throws Exception {
    StringBuilder all = new StringBuilder();
    for (int row = 0; row < 1000; row++) {
      String text = "{" + "x".repeat(row % 13) + row + "}";
      all.append(text);
      write(text);
      if (row % 37 == 0) {
        operator.setProcessingTime(5000 + row * 100L);
      }
    }
    operator.endInput();
    assertEquals(all.toString(), String.join("", records()));
    for (String record : records()) {
      long rows = record.chars().filter(letter -> letter == '{').count();
      assertEquals(true, rows <= 4 && (rows == 1 || record.length() <= 10), record);
    }
  }
}
