package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;

/**
 * Rows of these tests: name STRING, amount BIGINT, kind INT, total BIGINT, group BIGINT, and the
 * second part of the row: next BIGINT, next group BIGINT, next kind INT.
 */
class KeyedAggregateTest {
  private static final int NAME = 0;
  private static final int AMOUNT = 1;
  private static final int KIND = 2;
  private static final int TOTAL = 3;
  private static final int GROUP = 4;
  private static final int NEXT = 5;
  private static final int NEXT_GROUP = 6;
  private static final int NEXT_KIND = 7;
  private static final int COLUMNS = 8;
  private static final int PARTIAL_SUM = Accumulator.PARTIAL_SUM;
  private static final int NONE = Accumulator.NONE;
  private static final long TTL_MS = 1000;

  private static final UnaryOperator<KeyedAggregate> MAX_AND_COUNT =
      aggregate ->
          aggregate
              .accumulate("MAX", AMOUNT, -1, true, NONE, 0)
              .accumulate("COUNT", NONE, 0, false, NONE, 0);

  @Test
  void eachKeyHasItsOwnValuesAfterAndBeforeTheRow() throws Exception {
    try (Harness harness = new Harness(MAX_AND_COUNT)) {
      // after: max, count; before: max
      assertArrayEquals(new long[] {5, 1, -1}, harness.added(row("a", 5L)));
      assertArrayEquals(new long[] {9, 1, -1}, harness.added(row("b", 9L)));
      assertArrayEquals(new long[] {5, 2, 5}, harness.added(row("a", 3L)));
      assertArrayEquals(new long[] {5, 3, 5}, harness.added(row("a", null)));
      assertArrayEquals(new long[] {7, 4, 5}, harness.added(row("a", 7L)));
    }
  }

  @Test
  void aFilteredAccumulatorIgnoresOtherRows() throws Exception {
    try (Harness harness =
        new Harness(aggregate -> aggregate.accumulate("SUM", AMOUNT, 0, false, KIND, 2))) {
      assertArrayEquals(new long[] {0}, harness.added(row("a", 5L, 1, null, 0)));
      assertArrayEquals(new long[] {3}, harness.added(row("a", 3L, 2, null, 0)));
      assertArrayEquals(new long[] {1}, harness.added(row("a", -2L, 2, null, 0)));
    }
  }

  @Test
  void partialSumsAreByGroupUnlessTheRowHasATotal() throws Exception {
    UnaryOperator<KeyedAggregate> peak =
        aggregate ->
            aggregate
                .withPartialSum(TOTAL, AMOUNT, GROUP)
                .accumulate("MAX", PARTIAL_SUM, 0, true, NONE, 0);
    try (Harness harness = new Harness(peak)) {
      // peak, peak before, partial sum
      assertArrayEquals(new long[] {4, 0, 4}, harness.added(row("a", 4L, 0, null, 0)));
      assertArrayEquals(new long[] {4, 4, 3}, harness.added(row("a", 3L, 0, null, 900)));
      assertArrayEquals(new long[] {9, 4, 9}, harness.added(row("a", 5L, 0, null, 0)));
      assertArrayEquals(new long[] {9, 9, 7}, harness.added(row("a", 70L, 0, 7L, 900)));
      // 3 - 8 is below 0
      assertArrayEquals(new long[] {9, 9, 0}, harness.added(row("a", -8L, 0, null, 900)));
    }
  }

  @Test
  void theSecondPartOfARowIsAddedToItsOwnGroup() throws Exception {
    UnaryOperator<KeyedAggregate> peak =
        aggregate ->
            aggregate
                .withPartialSum(TOTAL, AMOUNT, GROUP)
                .withNextPart(NEXT, NEXT_GROUP, NEXT_KIND)
                .accumulate("MAX", PARTIAL_SUM, 0, true, NONE, 0)
                .accumulate("MAX", PARTIAL_SUM, 0, false, KIND, 1)
                .accumulate("MAX", PARTIAL_SUM, 0, false, KIND, 2)
                .accumulate("SUM", AMOUNT, 0, false, NONE, 0);
    try (Harness harness = new Harness(peak)) {
      // peak, peak of kind 1, peak of kind 2, sum of amounts, peak before, partial sum
      assertArrayEquals(
          new long[] {4, 4, 0, 4, 0, 4}, harness.added(split("a", 4, 0, 1, null, 900, 2)));
      assertArrayEquals(
          new long[] {6, 6, 2, 6, 4, 6}, harness.added(split("a", 2, 0, 1, 2L, 900, 2)));
      assertArrayEquals(
          new long[] {7, 6, 7, 11, 6, 7}, harness.added(split("a", 5, 900, 2, null, 1800, 2)));
      // Group 1800 is 9, more than group 900 with 7 + 1.
      assertArrayEquals(
          new long[] {9, 9, 8, 12, 7, 9}, harness.added(split("a", 1, 900, 2, 9L, 1800, 1)));
    }
  }

  @Test
  void valuesContinueAfterASnapshotIsRestored() throws Exception {
    OperatorSubtaskState snapshot;
    try (Harness harness = new Harness(MAX_AND_COUNT)) {
      harness.added(row("a", 5L));
      snapshot = harness.operator.snapshot(1, 1);
    }
    try (Harness harness = new Harness(MAX_AND_COUNT, snapshot)) {
      assertArrayEquals(new long[] {5, 2, 5}, harness.added(row("a", 4L)));
      assertArrayEquals(new long[] {4, 1, -1}, harness.added(row("b", 4L)));
    }
  }

  @Test
  void aKeyWithoutRowsForTheTimeToLiveStartsAgain() throws Exception {
    try (Harness harness = new Harness(MAX_AND_COUNT)) {
      harness.operator.setStateTtlProcessingTime(0);
      harness.added(row("a", 5L));
      harness.operator.setStateTtlProcessingTime(TTL_MS - 1);
      assertArrayEquals(new long[] {5, 2, 5}, harness.added(row("a", 1L)));
      harness.operator.setStateTtlProcessingTime(2 * TTL_MS - 1);
      assertArrayEquals(new long[] {1, 1, -1}, harness.added(row("a", 1L)));
    }
  }

  @Test
  void partialSumsContinueAfterARestore() throws Exception {
    UnaryOperator<KeyedAggregate> peak =
        aggregate ->
            aggregate
                .withPartialSum(TOTAL, AMOUNT, GROUP)
                .accumulate("MAX", PARTIAL_SUM, 0, true, NONE, 0);
    OperatorSubtaskState snapshot;
    try (Harness harness = new Harness(peak)) {
      harness.added(row("a", 4L, 0, null, 0));
      assertEquals(2, harness.operator.numKeyedStateEntries());
      snapshot = harness.operator.snapshot(1, 1);
    }
    try (Harness harness = new Harness(peak, snapshot)) {
      assertArrayEquals(new long[] {9, 4, 9}, harness.added(row("a", 5L, 0, null, 0)));
      assertArrayEquals(new long[] {9, 9, 5}, harness.added(row("a", 5L, 0, null, 900)));
    }
  }

  @Test
  void theRowComesFirstWithItsKind() throws Exception {
    try (Harness harness = new Harness(MAX_AND_COUNT)) {
      GenericRowData row = row("a", null, 7, 8L, 9);
      row.setRowKind(RowKind.UPDATE_AFTER);
      harness.added(row);
      RowData emitted = harness.operator.extractOutputValues().get(0);
      assertEquals(RowKind.UPDATE_AFTER, emitted.getRowKind());
      assertEquals("a", emitted.getString(NAME).toString());
      assertEquals(true, emitted.isNullAt(AMOUNT));
      assertEquals(7, emitted.getInt(KIND));
      assertEquals(8, emitted.getLong(TOTAL));
      assertEquals(9, emitted.getLong(GROUP));
    }
  }

  @Test
  void aKeyColumnIsStringOrBigint() {
    LogicalType[] types = {new IntType()};
    String message =
        assertThrows(IllegalArgumentException.class, () -> new ColumnKey(new int[] {KIND}, types))
            .getMessage();
    assertEquals("key column 2 is INT: cast it to STRING or BIGINT", message);
  }

  @Test
  void keysOfTheSameColumnsAreEqual() throws Exception {
    ColumnKey key =
        new ColumnKey(new int[] {NAME, GROUP}, new LogicalType[] {string(), new BigIntType()});
    RowData first = key.getKey(row("a", 1L, 1, null, 900));
    assertEquals(first, key.getKey(row("a", 2L, 2, 5L, 900)));
    assertEquals(first.hashCode(), key.getKey(row("a", 2L, 2, 5L, 900)).hashCode());
    assertEquals(900, first.getLong(1));
  }

  private static LogicalType[] types(int added) {
    LogicalType[] types = new LogicalType[COLUMNS + added];
    Arrays.fill(types, new BigIntType());
    types[NAME] = string();
    types[KIND] = new IntType();
    types[NEXT_KIND] = new IntType();
    return types;
  }

  private static LogicalType string() {
    return new VarCharType(false, VarCharType.MAX_LENGTH);
  }

  private static GenericRowData row(String name, Long amount) {
    return row(name, amount, 1, null, 0);
  }

  private static GenericRowData row(String name, Long amount, int kind, Long total, long group) {
    return GenericRowData.of(StringData.fromString(name), amount, kind, total, group, null, 0L, 0);
  }

  private static GenericRowData split(
      String name, long amount, long group, int kind, Long next, long nextGroup, int nextKind) {
    return GenericRowData.of(
        StringData.fromString(name), amount, kind, null, group, next, nextGroup, nextKind);
  }

  /**
   * A running operator; an emitted row must be read before the next is processed, as the operator
   * reuses it.
   */
  private static final class Harness implements AutoCloseable {
    final KeyedOneInputStreamOperatorTestHarness<RowData, RowData, RowData> operator;

    Harness(UnaryOperator<KeyedAggregate> declare) throws Exception {
      this(declare, null);
    }

    Harness(UnaryOperator<KeyedAggregate> declare, OperatorSubtaskState snapshot) throws Exception {
      ColumnKey key = new ColumnKey(new int[] {NAME}, new LogicalType[] {string()});
      KeyedAggregate aggregate = declare.apply(new KeyedAggregate(TTL_MS));
      operator =
          new KeyedOneInputStreamOperatorTestHarness<>(
              new KeyedProcessOperator<>(aggregate), key, key.getProducedType());
      operator.setup(InternalTypeInfo.ofFields(types(aggregate.addedColumns())).toSerializer());
      if (snapshot != null) {
        operator.initializeState(snapshot);
      }
      operator.open();
    }

    long[] added(GenericRowData row) throws Exception {
      operator.processElement(new StreamRecord<>(row));
      RowData out = operator.extractOutputValues().get(operator.extractOutputValues().size() - 1);
      List<Long> values = new ArrayList<>();
      for (int at = COLUMNS; at < out.getArity(); at++) {
        values.add(out.getLong(at));
      }
      return values.stream().mapToLong(Long::longValue).toArray();
    }

    @Override
    public void close() throws Exception {
      operator.close();
    }
  }
}
