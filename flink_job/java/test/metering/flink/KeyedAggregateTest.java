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

/** Rows of these tests: name STRING, amount BIGINT, kind INT, total BIGINT, group BIGINT. */
class KeyedAggregateTest {
  private static final int NAME = 0;
  private static final int AMOUNT = 1;
  private static final int KIND = 2;
  private static final int TOTAL = 3;
  private static final int GROUP = 4;
  private static final int COLUMNS = 5;
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
    return types;
  }

  private static LogicalType string() {
    return new VarCharType(false, VarCharType.MAX_LENGTH);
  }

  private static GenericRowData row(String name, Long amount) {
    return row(name, amount, 1, null, 0);
  }

  private static GenericRowData row(String name, Long amount, int kind, Long total, long group) {
    return GenericRowData.of(StringData.fromString(name), amount, kind, total, group);
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
