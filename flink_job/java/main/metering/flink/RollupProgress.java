package metering.flink;

import java.io.IOException;
import org.apache.flink.api.common.state.ValueState;

/** How far the windows of the current key have been emitted. */
final class RollupProgress {
  static final long NONE = Long.MIN_VALUE;

  /** All slots that end at or before this time have been emitted. */
  long closedMs = NONE;

  /** Number of emissions. */
  long emissions;

  /** Interval of the latest slot with rows, 0 for none. */
  long intervalS;

  /** Time of the key's timer. */
  long timerMs = NONE;

  static RollupProgress read(ValueState<long[]> state) throws IOException {
    RollupProgress progress = new RollupProgress();
    long[] stored = state.value();
    if (stored != null) {
      progress.closedMs = stored[0];
      progress.emissions = stored[1];
      progress.intervalS = stored[2];
      progress.timerMs = stored[3];
    }
    return progress;
  }

  void write(ValueState<long[]> state) throws IOException {
    state.update(new long[] {closedMs, emissions, intervalS, timerMs});
  }
}
