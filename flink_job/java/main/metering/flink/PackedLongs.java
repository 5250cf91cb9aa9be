package metering.flink;

import java.util.Arrays;

/**
 * Encoding of longs as bytes: each as its distance from a start value, zigzag-encoded (the sign in
 * the lowest bit), seven bits in a byte.
 *
 * <p>Most values are near their start: 16 of them take some 40 bytes instead of 128. Not
 * thread-safe.
 */
final class PackedLongs {
  private static final int MAX_BYTES = 10;

  private final long[] starts;
  private final byte[] buffer;

  PackedLongs(long[] starts) {
    this.starts = starts;
    this.buffer = new byte[MAX_BYTES * starts.length];
  }

  /** Returns {@code values} as bytes. */
  byte[] pack(long[] values) {
    int size = 0;
    for (int at = 0; at < starts.length; at++) {
      long distance = values[at] - starts[at];
      long left = (distance << 1) ^ (distance >> 63);
      while ((left & ~127L) != 0) {
        buffer[size++] = (byte) (left | 128);
        left >>>= 7;
      }
      buffer[size++] = (byte) left;
    }
    return Arrays.copyOf(buffer, size);
  }

  /** Writes the values of {@code packed} to {@code values}, or the start values if it is null. */
  void unpack(byte[] packed, long[] values) {
    if (packed == null) {
      System.arraycopy(starts, 0, values, 0, starts.length);
      return;
    }
    int next = 0;
    for (int at = 0; at < starts.length; at++) {
      long read = 0;
      int shift = 0;
      while (packed[next] < 0) {
        read |= (packed[next++] & 127L) << shift;
        shift += 7;
      }
      read |= (long) packed[next++] << shift;
      values[at] = starts[at] + ((read >>> 1) ^ -(read & 1));
    }
  }
}
