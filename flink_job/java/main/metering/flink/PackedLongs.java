package metering.flink;

/**
 * Encoding of a fixed number of longs as bytes: each as its distance from a start value (see {@link
 * VarLongs}).
 *
 * <p>Most values are near their start: 16 of them take some 40 bytes instead of 128. Not
 * thread-safe.
 */
final class PackedLongs {
  private final long[] starts;
  private final VarLongs longs = new VarLongs();

  PackedLongs(long[] starts) {
    this.starts = starts;
  }

  /** Returns {@code values} as bytes. */
  byte[] pack(long[] values) {
    longs.clear();
    for (int at = 0; at < starts.length; at++) {
      longs.putSigned(values[at] - starts[at]);
    }
    return longs.copy();
  }

  /** Writes the values of {@code packed} to {@code values}, or the start values if it is null. */
  void unpack(byte[] packed, long[] values) {
    if (packed == null) {
      System.arraycopy(starts, 0, values, 0, starts.length);
      return;
    }
    longs.read(packed);
    for (int at = 0; at < starts.length; at++) {
      values[at] = starts[at] + longs.nextSigned();
    }
  }
}
