package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;

/** Values and energies of these tests are whole units; the highest power is 400 in an hour. */
class RegisterEnergyTest {
  private static final long QUARTER_MS = 900_000;
  private static final long MOST = 400;
  private static final int OVERTAKEN = 4;

  @Test
  void inOrderEachReadAddsTheDifference() throws Exception {
    try (Harness reads = new Harness(null)) {
      // change, part in the demand interval, energy of the interval, condition, overtaken
      assertArrayEquals(new long[] {0, 0, -1, 0, 0}, reads.added(0, 100));
      assertArrayEquals(new long[] {7, 7, 7, 0, 0}, reads.added(1, 107));
      assertArrayEquals(new long[] {5, 5, -1, 0, 0}, reads.added(2, 112, 1_800));
    }
  }

  @Test
  void aReadBeforeTheFirstAddsTheEnergyUpToIt() throws Exception {
    try (Harness reads = new Harness(null)) {
      reads.added(1, 107);
      assertArrayEquals(new long[] {7, 7, -1, 0, 1}, reads.added(0, 100));
      assertArrayEquals(new long[] {3, 3, 3, 0, 0}, reads.added(2, 110));
      assertEquals(0, reads.added(1, 107)[0]);
    }
  }

  @Test
  void aNewerRevisionReplacesARead() throws Exception {
    try (Harness reads = new Harness(null)) {
      reads.added(0, 10);
      assertEquals(10, reads.added(1, 20)[0]);
      assertEquals(5, reads.added(1, 25 + RegisterRuleTest.LIMIT)[0]);
      assertEquals(0, reads.added(1, 20)[0]);
      assertEquals(15, reads.added(2, 40)[0]);
    }
  }

  @Test
  void aStepThatNoMeterMeasuresHasNoEnergy() throws Exception {
    try (Harness reads = new Harness(null)) {
      reads.added(0, 100);
      // 101 in a quarter hour is a power of 404
      assertArrayEquals(new long[] {0, 0, -1, RegisterEnergy.IMPLAUSIBLE, 0}, reads.added(1, 201));
      assertEquals(5, reads.added(2, 206)[0]);
    }
  }

  @Test
  void ofASilenceOnlyThePartOfTheIntervalCountsAsDemand() throws Exception {
    try (Harness reads = new Harness(null)) {
      reads.added(0, 100);
      // ten quarter hours of 9
      assertArrayEquals(new long[] {90, 9, -1, RegisterEnergy.ESTIMATED, 0}, reads.added(10, 190));
    }
  }

  /** A wrong value and roll-overs of a register of 1000, in ten orders. */
  @Test
  void inAnyOrderTheEnergyIsThatOfTheRule() throws Exception {
    List<long[]> reads = new ArrayList<>();
    for (int at = 0; at < 96; at++) {
      reads.add(new long[] {at, (900 + 4 * at) % 1000});
    }
    reads.get(30)[1] = (reads.get(30)[1] + 450) % 1000;
    // 95 differences of 4: a wrong value is skipped
    for (int seed = 0; seed < 10; seed++) {
      Collections.shuffle(reads, new Random(seed));
      long total = 0;
      try (Harness harness = new Harness(null)) {
        for (long[] read : reads) {
          total += harness.added(read[0], read[1], 900, 1000)[0];
        }
      }
      assertEquals(95 * 4, total, "order " + seed);
    }
  }

  @Test
  void readsContinueAfterASnapshotIsRestored() throws Exception {
    OperatorSubtaskState snapshot;
    try (Harness reads = new Harness(null)) {
      reads.added(0, 100);
      snapshot = reads.operator.snapshot(1, 1);
    }
    try (Harness reads = new Harness(snapshot)) {
      assertEquals(4, reads.added(1, 104)[0]);
    }
  }

  @Test
  void theStateStaysSmall() throws Exception {
    try (Harness reads = new Harness(null)) {
      for (int at = 0; at < 1000; at++) {
        reads.added(at, at % 7 == 0 ? 5_000 : at);
      }
      assertTrue(reads.operator.numKeyedStateEntries() == 1);
      // cut off: a read before those that are kept adds nothing
      assertEquals(1, reads.added(3, 2)[OVERTAKEN]);
    }
  }

  private static final class Harness implements AutoCloseable {
    final KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> operator;

    Harness(OperatorSubtaskState snapshot) throws Exception {
      LogicalType text = new VarCharType(false, VarCharType.MAX_LENGTH);
      LogicalType number = new BigIntType();
      LogicalType[] types = {
        text,
        number,
        new IntType(),
        number,
        number,
        number,
        number,
        number,
        number,
        new IntType(),
        new BooleanType()
      };
      ColumnKey key = new ColumnKey(new int[] {0}, new LogicalType[] {text});
      operator =
          new KeyedOneInputStreamOperatorTestHarness<>(
              new KeyedProcessOperator<>(
                  new RegisterEnergy(new int[] {1, 2, 3, 4, 5}, RegisterRuleTest.LIMIT)),
              key,
              key.getProducedType());
      operator.setup(InternalTypeInfo.ofFields(types).toSerializer());
      if (snapshot != null) {
        operator.initializeState(snapshot);
      }
      operator.open();
    }

    long[] added(long quarter, long value) throws Exception {
      return added(quarter, value, 900);
    }

    long[] added(long quarter, long value, int intervalS) throws Exception {
      return added(quarter, value, intervalS, null);
    }

    long[] added(long quarter, long value, int intervalS, Integer size) throws Exception {
      Long rollover = size == null ? null : Long.valueOf(size);
      operator.processElement(
          new StreamRecord<>(
              GenericRowData.of(
                  StringData.fromString("m"),
                  quarter * QUARTER_MS,
                  intervalS,
                  value,
                  rollover,
                  MOST)));
      RowData out = operator.extractOutputValues().get(operator.extractOutputValues().size() - 1);
      return new long[] {
        out.getLong(6), out.getLong(7), out.getLong(8), out.getInt(9), out.getBoolean(10) ? 1 : 0
      };
    }

    @Override
    public void close() throws Exception {
      operator.close();
    }
  }
}
