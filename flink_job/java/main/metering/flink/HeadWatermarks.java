package metering.flink;

import java.time.Clock;
import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.TimestampAssignerSupplier;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.table.data.RowData;

/**
 * Watermarks that show how far a stream has been read: the latest time of a row in a column of type
 * TIMESTAMP_LTZ(3). If no row has arrived for a while, as at the head of the stream, it is the time
 * before that while. So a source that needs time to start is not taken to be at its head.
 */
public final class HeadWatermarks implements WatermarkStrategy<RowData> {
  private static final long serialVersionUID = 1L;

  private final int column;
  private final long quietMs;
  private final transient Clock clock;

  /**
   * Creates a strategy.
   *
   * @param column position of the time
   * @param quietMs time without rows after which the stream has been read up to its head
   */
  public HeadWatermarks(int column, long quietMs) {
    this(column, quietMs, null);
  }

  HeadWatermarks(int column, long quietMs, Clock clock) {
    this.column = column;
    this.quietMs = quietMs;
    this.clock = clock;
  }

  @Override
  public TimestampAssigner<RowData> createTimestampAssigner(
      TimestampAssignerSupplier.Context context) {
    return (row, before) -> row.getTimestamp(column, 3).getMillisecond();
  }

  @Override
  public WatermarkGenerator<RowData> createWatermarkGenerator(
      WatermarkGeneratorSupplier.Context context) {
    return new Generator(clock == null ? Clock.systemUTC() : clock);
  }

  private final class Generator implements WatermarkGenerator<RowData> {
    private final Clock clock;
    private long latestMs = Long.MIN_VALUE;
    private long lastRowMs;

    Generator(Clock clock) {
      this.clock = clock;
      this.lastRowMs = clock.millis();
    }

    @Override
    public void onEvent(RowData row, long timeMs, WatermarkOutput output) {
      latestMs = Math.max(latestMs, timeMs);
      lastRowMs = clock.millis();
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {
      long nowMs = clock.millis();
      if (nowMs - lastRowMs >= quietMs) {
        latestMs = Math.max(latestMs, nowMs - quietMs);
      }
      if (latestMs != Long.MIN_VALUE) {
        output.emitWatermark(new Watermark(latestMs));
      }
    }
  }
}
