package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;

class HeadWatermarksTest {
  @Test
  void theWatermarkIsThatOfTheRowsUntilTheStreamIsQuiet() {
    Settable clock = new Settable();
    WatermarkGenerator<RowData> generator =
        new HeadWatermarks(0, 10, clock).createWatermarkGenerator(null);
    Emitted emitted = new Emitted();
    clock.now = 1_009;
    generator.onPeriodicEmit(emitted);
    assertEquals(List.of(), emitted.times);
    generator.onEvent(null, 500, emitted);
    generator.onEvent(null, 400, emitted);
    clock.now = 1_018;
    generator.onPeriodicEmit(emitted);
    clock.now = 1_019;
    generator.onPeriodicEmit(emitted);
    // A row of the past does not lower it.
    generator.onEvent(null, 600, emitted);
    generator.onPeriodicEmit(emitted);
    assertEquals(List.of(500L, 1_009L, 1_009L), emitted.times);
  }

  private static final class Settable extends Clock {
    private long now = 1_000;

    @Override
    public long millis() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return Instant.ofEpochMilli(now);
    }
  }

  private static final class Emitted implements WatermarkOutput {
    private final List<Long> times = new ArrayList<>();

    @Override
    public void emitWatermark(Watermark watermark) {
      times.add(watermark.getTimestamp());
    }

    @Override
    public void markIdle() {}

    @Override
    public void markActive() {}
  }
}
