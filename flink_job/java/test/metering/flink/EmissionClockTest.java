package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;

class EmissionClockTest {
  private final TestProcessingTimeService time = new TestProcessingTimeService();
  private final EmissionClock clock = new EmissionClock(time);

  @Test
  void rowsOfAWindowHaveDifferentTimesAndOthersTheTimeOfTheClock() throws Exception {
    time.setCurrentTime(100);
    assertEquals(100, next("a", 0, 3600));
    assertEquals(101, next("a", 0, 3600));
    assertEquals(102, next("a", 0, 3600));
    assertEquals(100, next("b", 0, 3600));
    assertEquals(100, next("a", 0, 900));
    assertEquals(100, next("a", 3_600_000, 3600));
    time.setCurrentTime(101);
    // Ahead of the clock by the rows of the millisecond before.
    assertEquals(103, next("a", 0, 3600));
    time.setCurrentTime(200);
    assertEquals(200, next("a", 0, 3600));
  }

  private long next(String key, long startMs, int lengthS) {
    RowData row = GenericRowData.of(StringData.fromString(key));
    return clock.next(row, 0, startMs, lengthS);
  }
}
