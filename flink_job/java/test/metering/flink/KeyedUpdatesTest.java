package metering.flink;

import static metering.flink.KeyedUpdates.ADD;
import static metering.flink.KeyedUpdates.BLOCK;
import static metering.flink.KeyedUpdates.GROUP;
import static metering.flink.KeyedUpdates.HIGHEST;
import static metering.flink.KeyedUpdates.HYPOT;
import static metering.flink.KeyedUpdates.KEEP;
import static metering.flink.KeyedUpdates.MAX;
import static metering.flink.KeyedUpdates.NEGATE;
import static metering.flink.KeyedUpdates.PART;
import static metering.flink.KeyedUpdates.PLUS;
import static metering.flink.KeyedUpdates.POSITIVE;
import static metering.flink.KeyedUpdates.PRODUCT;
import static metering.flink.KeyedUpdates.RECALL;
import static metering.flink.KeyedUpdates.ROUND;
import static metering.flink.KeyedUpdates.SCALE;
import static metering.flink.KeyedUpdates.SHOW;
import static metering.flink.KeyedUpdates.SQUARE;
import static metering.flink.KeyedUpdates.TAKE;
import static metering.flink.KeyedUpdates.TOP;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;

/**
 * Rows of these tests: name STRING, program BYTES, and two quantities, each BIGINT after the row
 * and BIGINT by the row.
 */
class KeyedUpdatesTest {
  private static final long TTL_MS = 1000;

  @Test
  void aSlotIsTheSumOfTheChangesOfItsKey() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] program = program(2, TAKE, 0, ADD, 0, TAKE, 1, ADD, 1);
      // slots after, slots before, shown
      assertArrayEquals(new long[] {5, 7, 0, 0, 0}, harness.added("a", program, 5, 5, 7, 7));
      // A correction of 5 to 3, and a new quantity of 4.
      assertArrayEquals(new long[] {3, 11, 5, 7, 0}, harness.added("a", program, 3, -2, 4, 4));
      assertArrayEquals(new long[] {9, 0, 0, 0, 0}, harness.added("b", program, 9, 9, 0, 0));
    }
  }

  @Test
  void theNumberOfSlotsIsThatOfTheProgram() throws Exception {
    try (Harness harness = new Harness()) {
      assertArrayEquals(
          new long[] {5, 0, 0}, harness.added("a", program(1, TAKE, 0, ADD, 0), 5, 5, 0, 0));
      assertArrayEquals(
          new long[] {5, 0, 2, 5, 0, 0, 0},
          harness.added("a", program(3, TAKE, 0, ADD, 2), 2, 2, 0, 0));
      // The third slot is not emitted, and not lost.
      assertArrayEquals(
          new long[] {6, 5, 0}, harness.added("a", program(1, TAKE, 0, ADD, 0), 1, 1, 0, 0));
      assertArrayEquals(
          new long[] {6, 0, 3, 6, 0, 2, 0},
          harness.added("a", program(3, TAKE, 0, ADD, 2), 1, 1, 0, 0));
    }
  }

  @Test
  void theHighestSumOfAGroupRemains() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] first = program(1, TAKE, 0, GROUP, 0, 0, MAX, 0, SHOW);
      byte[] second = program(1, TAKE, 0, GROUP, 0, 900, MAX, 0, SHOW);
      assertArrayEquals(new long[] {4, 0, 4}, harness.added("a", first, 4, 4, 0, 0));
      assertArrayEquals(new long[] {4, 4, 3}, harness.added("a", second, 3, 3, 0, 0));
      assertArrayEquals(new long[] {9, 4, 9}, harness.added("a", first, 5, 5, 0, 0));
      // 3 - 8 is below 0; what is shown is not.
      assertArrayEquals(new long[] {9, 9, 0}, harness.added("a", second, 0, -8, 0, 0));
      // Sums of another family are apart: 2 is not added to 9.
      byte[] other = program(2, TAKE, 0, GROUP, 1, 0, MAX, 1, SHOW);
      assertArrayEquals(new long[] {9, 2, 9, 0, 2}, harness.added("a", other, 2, 2, 0, 0));
    }
  }

  /** 7 over 600 s, of which 400 in a first group: the second has floor(7 x 200 / 600) = 2. */
  @Test
  void partsAddUpToTheQuantity() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] split =
          program(
              2, TAKE, 0, PART, 0, 400, 600, GROUP, 0, 0, MAX, 0, SHOW, TAKE, 0, PART, 400, 600,
              600, GROUP, 0, 900, MAX, 1, SHOW);
      assertArrayEquals(new long[] {5, 2, 0, 0, 5}, harness.added("a", split, 7, 7, 0, 0));
      // Corrected to 9: 6 and 3, so each group changes by 1.
      assertArrayEquals(new long[] {6, 3, 5, 2, 6}, harness.added("a", split, 9, 2, 0, 0));
    }
  }

  /** 100 over an hour are 25 in a quarter hour; 10^18 does not exceed 64 bits on the way. */
  @Test
  void aLongReadingCountsWithItsMean() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] mean = program(1, TAKE, 0, SCALE, 900, 3600, MAX, 0, SHOW);
      assertArrayEquals(new long[] {25, 0, 25}, harness.added("a", mean, 100, 100, 0, 0));
      long large = 1_000_000_000_000_000_000L;
      assertArrayEquals(
          new long[] {large / 4, 25, large / 4}, harness.added("a", mean, large, large, 0, 0));
    }
  }

  /** Two quantities netted: 7 - 10 = -3, so nothing is imported and 3 are exported. */
  @Test
  void quantitiesAreNetted() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] net =
          program(
              2, TAKE, 1, NEGATE, KEEP, TAKE, 0, PLUS, KEEP, POSITIVE, ADD, 0, RECALL, NEGATE,
              POSITIVE, ADD, 1);
      assertArrayEquals(new long[] {0, 3, 0, 0, 0}, harness.added("a", net, 7, 7, 10, 10));
      // Corrected to 12 - 10: 2 are imported, nothing is exported.
      assertArrayEquals(new long[] {2, 0, 0, 3, 0}, harness.added("a", net, 12, 5, 10, 0));
    }
  }

  @Test
  void valuesAreRounded() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] even = program(1, TAKE, 0, ROUND, 10, 0, ADD, 0);
      byte[] up = program(1, TAKE, 0, ROUND, 10, 1, ADD, 0);
      long[][] expected = {{25, 20, 30}, {35, 40, 40}, {24, 20, 20}, {26, 30, 30}, {-25, -20, -30}};
      for (long[] one : expected) {
        String key = "" + one[0];
        assertEquals(one[1], harness.added(key, even, one[0], one[0], 0, 0)[0]);
        assertEquals(one[2], harness.added(key + " up", up, one[0], one[0], 0, 0)[0]);
      }
    }
  }

  /**
   * The blocks are 0 to 5 and above: of the highest values of two days, 7 and 4, they have 9 and 2.
   */
  @Test
  void blocksOfTheHighestValuesAreAdded() throws Exception {
    try (Harness harness = new Harness()) {
      for (long[] value : new long[][] {{0, 3}, {0, 7}, {1, 4}, {0, 6}}) {
        byte[] highest = program(2, TAKE, 0, HIGHEST, 1, value[0], BLOCK, 0, 0, 5, BLOCK, 1, 5, 0);
        harness.added("a", highest, value[1], value[1], 0, 0);
      }
      assertArrayEquals(new long[] {9, 2, 9, 2, 0}, harness.added("a", program(2), 0, 0, 0, 0));
    }
  }

  /** The two highest of the values of three groups, which rise: 5, 7, 6, 8 (of the first), 3. */
  @Test
  void theHighestValuesOfGroupsAreListed() throws Exception {
    try (Harness harness = new Harness()) {
      long[][] expected = {
        {0, 5, 5, 0}, {1, 7, 7, 5}, {2, 6, 7, 6}, {0, 8, 8, 7}, {1, 3, 8, 7}, {2, 9, 9, 8}
      };
      for (long[] one : expected) {
        byte[] top = program(2, TAKE, 0, HIGHEST, 2, one[0], TOP, 0, 2);
        long[] added = harness.added("a", top, one[1], one[1], 0, 0);
        assertArrayEquals(new long[] {one[2], one[3]}, new long[] {added[0], added[1]});
      }
    }
  }

  /** sqrt(40^2 + 30^2) = 50; sqrt(40^2 + 31^2) = 50.6; and beyond the square root of 2^63. */
  @Test
  void twoQuantitiesAreAddedAtARightAngle() throws Exception {
    try (Harness harness = new Harness()) {
      byte[] hypot = program(1, TAKE, 0, KEEP, TAKE, 1, HYPOT, ADD, 0);
      assertArrayEquals(new long[] {50, 0, 0}, harness.added("a", hypot, 40, 40, 30, 30));
      assertArrayEquals(new long[] {50, 50, 0}, harness.added("a", hypot, 40, 0, 31, 1));
      long large = 10_000_000_000L;
      assertEquals(
          5 * large, harness.added("b", hypot, 4 * large, 4 * large, 3 * large, 3 * large)[0]);
    }
  }

  /** Products and squares beyond 64 bits are sums of two slots. */
  @Test
  void productsAreExact() throws Exception {
    try (Harness harness = new Harness()) {
      VarLongs signed = new VarLongs();
      signed.clear();
      for (long value : new long[] {2, TAKE, 0, PRODUCT, 0}) {
        signed.put(value);
      }
      signed.putSigned(-1_500_000_007L);
      byte[] product = signed.copy();
      // 3,000,000,003 x -1,500,000,007 = -4,500,000,025,500,000,021 = -4,500,000,026 x 10^9 +
      // 499,999,979
      assertArrayEquals(
          new long[] {-4_500_000_026L, 499_999_979L, 0, 0, 0},
          harness.added("a", product, 3_000_000_003L, 3_000_000_003L, 0, 0));
      byte[] square = program(2, TAKE, 0, SQUARE, 0, 5);
      // (10^11 + 1)^2 = 10^22 + 2 x 10^11 + 1; then it falls to the limit.
      long above = 100_000_000_006L;
      assertArrayEquals(
          new long[] {10_000_000_000_200L, 1, 0, 0, 0},
          harness.added("b", square, above, above, 0, 0));
      assertArrayEquals(
          new long[] {0, 0, 10_000_000_000_200L, 1, 0},
          harness.added("b", square, 5, 5 - above, 0, 0));
    }
  }

  @Test
  void valuesContinueAfterASnapshotIsRestored() throws Exception {
    byte[] program = program(2, TAKE, 0, ADD, 0, GROUP, 0, 0, MAX, 1);
    OperatorSubtaskState snapshot;
    try (Harness harness = new Harness()) {
      harness.added("a", program, 5, 5, 0, 0);
      snapshot = harness.operator.snapshot(1, 1);
    }
    try (Harness harness = new Harness(snapshot)) {
      assertArrayEquals(new long[] {6, 6, 5, 5, 0}, harness.added("a", program, 1, 1, 0, 0));
    }
  }

  @Test
  void aKeyWithoutRowsForTheTimeToLiveStartsAgain() throws Exception {
    byte[] program = program(1, TAKE, 0, GROUP, 0, 0, ADD, 0);
    try (Harness harness = new Harness()) {
      harness.operator.setStateTtlProcessingTime(0);
      harness.added("a", program, 5, 5, 0, 0);
      harness.operator.setStateTtlProcessingTime(2 * TTL_MS);
      assertArrayEquals(new long[] {1, 0, 0}, harness.added("a", program, 1, 1, 0, 0));
    }
  }

  @Test
  void theRowComesFirstWithItsKind() throws Exception {
    try (Harness harness = new Harness()) {
      GenericRowData row = row("a", program(1, TAKE, 0, ADD, 0), 1, 1, 0, 0);
      row.setRowKind(RowKind.UPDATE_AFTER);
      harness.operator.processElement(new StreamRecord<>(row));
      RowData emitted = harness.operator.extractOutputValues().get(0);
      assertEquals(RowKind.UPDATE_AFTER, emitted.getRowKind());
      assertEquals("a", emitted.getString(0).toString());
    }
  }

  @Test
  void anUnknownOperationIsRefused() throws Exception {
    try (Harness harness = new Harness()) {
      String message =
          assertThrows(
                  IllegalStateException.class, () -> harness.added("a", program(1, 99), 1, 1, 0, 0))
              .getMessage();
      assertEquals("unknown operation 99", message);
    }
  }

  private static byte[] program(long... values) {
    VarLongs program = new VarLongs();
    program.clear();
    for (long value : values) {
      program.put(value);
    }
    return program.copy();
  }

  private static GenericRowData row(
      String name, byte[] program, long first, long byFirst, long second, long bySecond) {
    return GenericRowData.of(
        StringData.fromString(name), program, first, byFirst, second, bySecond);
  }

  /** A running operator. */
  private static final class Harness implements AutoCloseable {
    final KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> operator;

    Harness() throws Exception {
      this(null);
    }

    Harness(OperatorSubtaskState snapshot) throws Exception {
      LogicalType name = new VarCharType(false, VarCharType.MAX_LENGTH);
      LogicalType bytes = new VarBinaryType(false, VarBinaryType.MAX_LENGTH);
      LogicalType bigint = new BigIntType(false);
      ColumnKey key = new ColumnKey(new int[] {0}, new LogicalType[] {name});
      KeyedUpdates updates = new KeyedUpdates(TTL_MS, 1, new int[] {2, 4}, new int[] {3, 5});
      operator =
          new KeyedOneInputStreamOperatorTestHarness<>(
              new KeyedProcessOperator<>(updates), key, key.getProducedType());
      operator.setup(
          InternalTypeInfo.ofFields(name, bytes, bigint, bigint, bigint, bigint, bytes, bigint)
              .toSerializer());
      if (snapshot != null) {
        operator.initializeState(snapshot);
      }
      operator.open();
    }

    /** Returns the slots after and before a row, and its shown value. */
    long[] added(String name, byte[] program, long first, long byFirst, long second, long bySecond)
        throws Exception {
      operator.processElement(
          new StreamRecord<>(row(name, program, first, byFirst, second, bySecond)));
      RowData out = operator.extractOutputValues().get(operator.extractOutputValues().size() - 1);
      ByteBuffer slots = ByteBuffer.wrap(out.getBinary(6)).order(ByteOrder.LITTLE_ENDIAN);
      long[] added = new long[slots.remaining() / 8 + 1];
      for (int at = 0; slots.hasRemaining(); at++) {
        added[at] = slots.getLong();
      }
      added[added.length - 1] = out.getLong(7);
      return added;
    }

    @Override
    public void close() throws Exception {
      operator.close();
    }
  }
}
