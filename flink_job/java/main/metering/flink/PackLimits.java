package metering.flink;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.table.api.ValidationException;

/** Limits of a packed record: size in bytes, number of rows, and age of its first row. */
final class PackLimits implements Serializable {
  private static final long serialVersionUID = 1L;

  final int maxBytes;
  final int maxRows;
  final long lingerMs;

  PackLimits(MemorySize maxBytes, int maxRows, Duration linger) {
    if (maxBytes.getBytes() < 1 || maxBytes.getBytes() > Integer.MAX_VALUE) {
      throw new ValidationException(
          "packed.max-bytes must be between 1 byte and 2 GiB, not " + maxBytes);
    }
    if (maxRows < 1) {
      throw new ValidationException("packed.max-rows must be at least 1, not " + maxRows);
    }
    if (linger.toMillis() < 1) {
      throw new ValidationException("packed.linger must be at least 1 ms, not " + linger);
    }
    this.maxBytes = (int) maxBytes.getBytes();
    this.maxRows = maxRows;
    this.lingerMs = linger.toMillis();
  }
}
