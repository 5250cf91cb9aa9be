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
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Entities are silent after 10 ms. Rows are shown as {@code kind name time<time before}. */
class PresenceTest {
  private static final LogicalType STRING = VarCharType.STRING_TYPE;
  private static final ColumnKey KEY = new ColumnKey(new int[] {0}, new LogicalType[] {STRING});
  private static final long NOW_MS = 777;

  private Harness presence;

  @BeforeEach
  void open() throws Exception {
    presence = new Harness();
    presence.open();
  }

  @AfterEach
  void close() throws Exception {
    presence.close();
  }

  @Test
  void anEntityStopsAfterTheSilenceAndResumes() throws Exception {
    presence.arrives("ma", 100);
    presence.arrives("ma", 105);
    presence.watermark(114);
    assertEquals(List.of(), presence.emitted());
    presence.watermark(115);
    presence.arrives("ma", 130);
    presence.watermark(140);
    assertEquals(
        List.of("stopped a 105<-1", "resumed a 130<105", "stopped a 130<-1"), presence.emitted());
  }

  @Test
  void aPauseThatIsOverBeforeItIsDetectedIsAResumption() throws Exception {
    presence.arrives("ma", 100);
    presence.arrives("ma", 110);
    presence.arrives("ma", 121);
    assertEquals(List.of("resumed a 121<110"), presence.emitted());
  }

  @Test
  void arrivalsOutOfOrderAreNoNews() throws Exception {
    presence.arrives("ma", 100);
    presence.arrives("ma", 80);
    presence.watermark(110);
    presence.arrives("ma", 99);
    assertEquals(List.of("stopped a 100<-1"), presence.emitted());
  }

  @Test
  void rowsWithoutAKeyOnlyAdvanceTime() throws Exception {
    presence.arrives("", 100);
    presence.watermark(1000);
    assertEquals(List.of(), presence.emitted());
    assertEquals(0, presence.numKeyedStateEntries());
  }

  @Test
  void aWatchedEntityThatNeverReportsStops() throws Exception {
    presence.mark("ma", "a", "watched");
    presence.mark("mb", "b", "joined");
    presence.watermark(50);
    presence.watermark(59);
    assertEquals(List.of(), presence.emitted());
    presence.watermark(60);
    presence.mark("mc", "c", "watched");
    presence.arrives("md", 61);
    presence.mark("md", "d", "watched");
    presence.watermark(70);
    assertEquals(List.of("stopped a 50<-1", "stopped c 60<-1"), presence.emitted());
    presence.arrives("ma", 75);
    assertEquals("resumed a 75<50", presence.emitted().get(2));
  }

  @Test
  void anEntityThatHasStoppedIsEmittedAgainWhenItIsWatchedAgain() throws Exception {
    presence.arrives("ma", 100);
    presence.watermark(110);
    presence.mark("ma", "a", "watched");
    assertEquals(List.of("stopped a 100<-1", "stopped a 100<-1"), presence.emitted());
  }

  @Test
  void anotherPathOrTagIsAMove() throws Exception {
    presence.mark("ma", "p", "", "a", "joined");
    presence.mark("ma", "p", "", "a", "watched");
    presence.mark("ma", "q", "", "a", "joined");
    presence.watermark(20);
    presence.mark("ma", "q", "t=1", "a", "joined");
    assertEquals(List.of("moved a 777<-1", "moved a 20<-1"), presence.emitted());
    assertEquals("t=1", presence.extractOutputValues().get(1).getString(2).toString());
  }

  @Test
  void anEntityIsGoneWithItsLastMember() throws Exception {
    for (String member : new String[] {"a", "b", "b"}) {
      presence.mark("lg", member, "joined");
    }
    presence.arrives("lg", 100);
    presence.mark("lg", "a", "left");
    assertEquals(List.of(), presence.emitted());
    presence.mark("lg", "b", "left");
    // A reading that was on its way; nobody is missed.
    presence.arrives("lg", 101);
    presence.watermark(200);
    assertEquals(List.of("gone g 777<-1"), presence.emitted());
    presence.mark("lg", "c", "joined");
    presence.arrives("lg", 205);
    presence.watermark(215);
    assertEquals(
        List.of("gone g 777<-1", "moved g 200<-1", "stopped g 205<-1"), presence.emitted());
  }

  @Test
  void theEndOfTheInputIsNotSilence() throws Exception {
    presence.arrives("ma", 100);
    presence.mark("mb", "b", "watched");
    presence.processWatermark1(Watermark.MAX_WATERMARK);
    presence.processWatermark2(Watermark.MAX_WATERMARK);
    assertEquals(List.of(), presence.emitted());
  }

  @Test
  void timersMembersAndSilenceAreRestored() throws Exception {
    presence.mark("lg", "a", "joined");
    presence.mark("lg", "b", "joined");
    presence.arrives("lg", 100);
    presence.arrives("ma", 95);
    presence.watermark(105);
    OperatorSubtaskState state = presence.snapshot(1, 1);
    try (Harness restored = new Harness()) {
      restored.initializeState(state);
      restored.open();
      restored.mark("lg", "a", "left");
      restored.watermark(110);
      restored.arrives("ma", 111);
      assertEquals(List.of("stopped g 100<-1", "resumed a 111<95"), restored.emitted());
    }
  }

  private static final class Harness
      extends KeyedTwoInputStreamOperatorTestHarness<RowData, RowData, RowData, RowData> {

    Harness() throws Exception {
      super(new KeyedCoProcessOperator<>(new Presence(10)), KEY, KEY, KEY.getProducedType());
      LogicalType number = new BigIntType();
      setup(
          InternalTypeInfo.ofFields(STRING, STRING, STRING, STRING, number, number).toSerializer());
      setProcessingTime(NOW_MS);
    }

    @Override
    public void open() throws Exception {
      super.open();
      processWatermarkStatus2(WatermarkStatus.IDLE);
    }

    void arrives(String key, long ms) throws Exception {
      processElement1(new StreamRecord<>(row(key, "p", "", TimestampData.fromEpochMillis(ms))));
    }

    void mark(String key, String member, String action) throws Exception {
      mark(key, "p", "", member, action);
    }

    void mark(String key, String path, String tags, String member, String action) throws Exception {
      processElement2(new StreamRecord<>(row(key, path, tags, member, action)));
    }

    void watermark(long ms) throws Exception {
      processWatermark1(new Watermark(ms));
    }

    private static RowData row(Object... fields) {
      Object[] internal = new Object[fields.length];
      for (int at = 0; at < fields.length; at++) {
        internal[at] = fields[at] instanceof String ? text((String) fields[at]) : fields[at];
      }
      return GenericRowData.of(internal);
    }

    private static StringData text(String value) {
      return BinaryStringData.fromString(value);
    }

    List<String> emitted() {
      return extractOutputValues().stream()
          .map(
              row ->
                  row.getString(3)
                      + " "
                      + row.getString(0)
                      + " "
                      + row.getLong(4)
                      + "<"
                      + row.getLong(5))
          .collect(Collectors.toList());
    }
  }
}
