package metering.flink;

import java.util.Arrays;

/**
 * Longs as bytes, seven bits in a byte, low bits first: small values take few bytes. Signed values
 * have their sign in the lowest bit. Not thread-safe.
 */
final class VarLongs {
  private static final int MAX_BYTES = 10;

  private byte[] source;
  private int next;
  private byte[] written = new byte[64];
  private int end;

  /** Starts to read {@code packed}. */
  void read(byte[] packed) {
    source = packed;
    next = 0;
  }

  boolean hasNext() {
    return next < source.length;
  }

  /** Reads a value of {@link #put}. */
  long next() {
    long read = 0;
    int shift = 0;
    while (source[next] < 0) {
      read |= (source[next++] & 127L) << shift;
      shift += 7;
    }
    return read | (long) source[next++] << shift;
  }

  /** Reads a value of {@link #putSigned}. */
  long nextSigned() {
    long read = next();
    return (read >>> 1) ^ -(read & 1);
  }

  /** Starts to write. */
  void clear() {
    end = 0;
  }

  /** Writes a value; a negative one takes ten bytes. */
  void put(long value) {
    if (end + MAX_BYTES > written.length) {
      written = Arrays.copyOf(written, 2 * written.length);
    }
    long left = value;
    while ((left & ~127L) != 0) {
      written[end++] = (byte) (left | 128);
      left >>>= 7;
    }
    written[end++] = (byte) left;
  }

  /** Writes a value that may be negative. */
  void putSigned(long value) {
    put((value << 1) ^ (value >> 63));
  }

  /** Returns what was written since {@link #clear}. */
  byte[] copy() {
    return Arrays.copyOf(written, end);
  }
}
