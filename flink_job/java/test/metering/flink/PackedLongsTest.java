package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class PackedLongsTest {
  @Test
  void valuesAtTheirStartTakeAByteEach() {
    assertEquals(2, new PackedLongs(new long[] {-1, 0}).pack(new long[] {-1, 0}).length);
  }

  @Test
  void nullIsUnpackedAsTheStartValues() {
    long[] values = {7, 7};
    new PackedLongs(new long[] {-1, 0}).unpack(null, values);
    assertArrayEquals(new long[] {-1, 0}, values);
  }

  @Test
  void valuesOfAnySizeAreUnpackedUnchanged() {
    long[] starts = {-1, 0, 5, 0, 0, 0};
    long[] values = {Long.MAX_VALUE, Long.MIN_VALUE, -64, 1L << 62, -(1L << 40), 63};
    assertArrayEquals(values, packedAndUnpacked(starts, values));
  }

  @Test
  void randomValuesAreUnpackedUnchanged() {
    Random random = new Random(1);
    for (int run = 0; run < 10_000; run++) {
      long[] starts = {random.nextInt(3) - 1, 0, 0};
      long[] values = {
        random.nextLong(), random.nextLong() >> random.nextInt(64), random.nextInt(200) - 100
      };
      assertArrayEquals(values, packedAndUnpacked(starts, values));
    }
  }

  private static long[] packedAndUnpacked(long[] starts, long[] values) {
    PackedLongs packing = new PackedLongs(starts);
    long[] unpacked = new long[values.length];
    packing.unpack(packing.pack(values), unpacked);
    return unpacked;
  }
}
