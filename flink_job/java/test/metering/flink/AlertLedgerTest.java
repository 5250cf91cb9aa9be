package metering.flink;

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
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.TimestampType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The grace period is 10 ms, and records arrive at the time 100. Rows are shown as {@code alert
 * number state}, with the reason of an end.
 */
class AlertLedgerTest {
  private static final String[] NAMES = {"alert_id", "change_number", "state", "detail", "arrival"};
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final LogicalType[] TYPES = {
    STRING, new IntType(), STRING, STRING, new TimestampType(3)
  };
  private static final ColumnKey KEY = new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final String LOST = "(" + AlertLedger.NOT_FOUND + ")";
  private static final long ARRIVAL_MS = 100;

  private Harness ledger;

  @BeforeEach
  void open() throws Exception {
    ledger = new Harness();
    ledger.open();
  }

  @AfterEach
  void close() throws Exception {
    ledger.close();
  }

  @Test
  void changesPassAndNothingIsKeptOfAnAlertThatHasEnded() throws Exception {
    ledger.found("a", 0, "raised");
    ledger.readBack("a", 0, "raised");
    ledger.found("a", 1, "cleared");
    ledger.readBack("a", 1, "cleared");
    ledger.passes(1000);
    assertEquals(List.of("a 0 raised", "a 1 cleared"), ledger.emitted());
    assertEquals(0, ledger.numKeyedStateEntries());
  }

  @Test
  void anAlertThatIsNotFoundAgainEndsAfterItsArrivalAndTheGracePeriod() throws Exception {
    ledger.readBack("a", 0, "raised");
    ledger.readBack("a", 1, "escalated");
    ledger.setProcessingTime(50);
    ledger.advance(100);
    ledger.setProcessingTime(60);
    assertEquals(List.of(), ledger.emitted()); // its record has not been processed again
    ledger.advance(101);
    ledger.setProcessingTime(69);
    assertEquals(List.of(), ledger.emitted());
    ledger.setProcessingTime(70);
    assertEquals(List.of("a 0 raised", "a 1 escalated", "a 2 cleared" + LOST), ledger.emitted());
  }

  @Test
  void anAlertThatIsFoundAgainStaysOpen() throws Exception {
    ledger.readBack("a", 0, "raised");
    ledger.found("a", 0, "raised");
    ledger.passes(1000);
    assertEquals(List.of("a 0 raised"), ledger.emitted());
  }

  @Test
  void changesThatEndedBeforeTheCrashAreEmittedAgain() throws Exception {
    // A sink may have lost them: readers of the stream know them, the lake perhaps not.
    ledger.readBack("a", 0, "raised");
    ledger.readBack("a", 1, "cleared");
    ledger.passes(1000);
    assertEquals(List.of("a 0 raised", "a 1 cleared"), ledger.emitted());
    assertEquals(0, ledger.numKeyedStateEntries());
  }

  @Test
  void anEndUnderTheNumberOfAnotherChangeGetsTheNextNumber() throws Exception {
    ledger.found("a", 0, "raised");
    ledger.readBack("a", 1, "escalated");
    ledger.found("a", 1, "cleared");
    ledger.passes(1000);
    assertEquals(List.of("a 0 raised", "a 2 cleared"), ledger.emitted());
  }

  @Test
  void anEndBeforeTheLastChangeThatReadersKnowIsFollowedByAnother() throws Exception {
    ledger.found("a", 0, "raised");
    ledger.readBack("a", 2, "escalated");
    ledger.found("a", 1, "cleared");
    ledger.passes(1000);
    assertEquals(
        List.of("a 0 raised", "a 1 cleared", "a 2 escalated", "a 3 cleared" + LOST),
        ledger.emitted());
  }

  @Test
  void aChangeOfAnAlertThatReadersTakeForEndedOpensItAgain() throws Exception {
    ledger.found("a", 0, "raised");
    ledger.readBack("a", 1, "cleared");
    ledger.found("a", 1, "escalated");
    ledger.found("a", 2, "cleared");
    assertEquals(List.of("a 0 raised", "a 2 escalated", "a 3 cleared"), ledger.emitted());
  }

  @Test
  void repeatedChangesKeepTheirNumbers() throws Exception {
    // After a crash: raised, cleared, and raised again, of which readers know all.
    ledger.readBack("a", 0, "raised");
    ledger.readBack("a", 1, "cleared");
    ledger.readBack("a", 2, "raised");
    ledger.found("a", 0, "raised");
    ledger.found("a", 1, "cleared");
    ledger.found("a", 2, "raised");
    ledger.passes(1000);
    assertEquals(List.of("a 0 raised", "a 1 cleared", "a 2 raised"), ledger.emitted());
  }

  @Test
  void anAlertThatIsFoundAfterItsEndIsRaisedAgain() throws Exception {
    ledger.readBack("a", 0, "raised");
    ledger.passes(1000);
    ledger.readBack("a", 1, "cleared");
    ledger.found("a", 0, "raised");
    ledger.found("a", 1, "cleared");
    assertEquals(
        List.of("a 0 raised", "a 1 cleared" + LOST, "a 2 raised", "a 3 cleared"), ledger.emitted());
  }

  @Test
  void changesFromBeforeTheJobAreNotItsOwn() throws Exception {
    ledger.process(2, "a", 0, "raised", TimestampData.fromEpochMillis(0));
    ledger.passes(1000);
    assertEquals(List.of(), ledger.emitted());
  }

  @Test
  void theStartAndWhatIsUnknownAreRestored() throws Exception {
    ledger.found("a", 0, "raised");
    OperatorSubtaskState state = ledger.snapshot(1, 1);
    long before = System.currentTimeMillis();
    while (System.currentTimeMillis() == before) {
      Thread.onSpinWait();
    }
    try (Harness restored = new Harness()) {
      restored.initializeState(state);
      restored.open();
      // Written after the first start and before the second one.
      restored.process(2, "a", 0, "raised", TimestampData.fromEpochMillis(before));
      restored.process(2, "b", 0, "raised", TimestampData.fromEpochMillis(before));
      restored.passes(1000);
      assertEquals(List.of("b 0 raised", "b 1 cleared" + LOST), restored.emitted());
    }
  }

  @Test
  void theEndOfTheInputEndsNothing() throws Exception {
    ledger.readBack("a", 0, "raised");
    ledger.advance(Long.MAX_VALUE);
    ledger.setProcessingTime(1000);
    assertEquals(List.of(), ledger.emitted());
  }

  private static final class Harness
      extends KeyedTwoInputStreamOperatorTestHarness<RowData, RowData, RowData, RowData> {

    Harness() throws Exception {
      super(
          new KeyedCoProcessOperator<>(
              new AlertLedger(
                  new AlertColumns(NAMES, TYPES),
                  InternalTypeInfo.ofFields(TYPES),
                  10,
                  86_400_000)),
          KEY,
          KEY,
          KEY.getProducedType());
      setup(InternalTypeInfo.ofFields(TYPES).toSerializer());
    }

    @Override
    public void open() throws Exception {
      super.open();
      processWatermarkStatus1(WatermarkStatus.IDLE);
    }

    void found(String alert, int number, String state) throws Exception {
      process(1, alert, number, state, null);
    }

    void readBack(String alert, int number, String state) throws Exception {
      process(
          2, alert, number, state, TimestampData.fromEpochMillis(System.currentTimeMillis() + 1));
    }

    void process(int input, String alert, int number, String state, TimestampData written)
        throws Exception {
      Object[] fields = {
        text(alert), number, text(state), text(""), TimestampData.fromEpochMillis(ARRIVAL_MS)
      };
      if (input == 1) {
        processElement1(new StreamRecord<>(GenericRowData.of(fields)));
        return;
      }
      GenericRowData row = new GenericRowData(fields.length + 1);
      for (int at = 0; at < fields.length; at++) {
        row.setField(at, fields[at]);
      }
      row.setField(fields.length, written);
      processElement2(new StreamRecord<>(row));
    }

    void advance(long ms) throws Exception {
      processWatermark2(new Watermark(ms));
    }

    /** Event time and then the processing time pass by a time. */
    void passes(long ms) throws Exception {
      advance(ms);
      setProcessingTime(ms);
    }

    private static BinaryStringData text(String value) {
      return BinaryStringData.fromString(value);
    }

    List<String> emitted() {
      return extractOutputValues().stream()
          .map(
              row ->
                  row.getString(0)
                      + " "
                      + row.getInt(1)
                      + " "
                      + row.getString(2)
                      + (row.getString(3).toString().isEmpty() ? "" : "(" + row.getString(3) + ")"))
          .collect(Collectors.toList());
    }
  }
}
