package metering.flink;

import java.util.Arrays;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Splits the record in a BYTES column into its parts: emits the row once for each part, with the
 * added columns part (BYTES), part_number (INT, from 1) and parts (INT).
 *
 * <p>A record without parts, or whose framing is broken, is emitted as a single part (see {@link
 * Framing}). No state.
 */
public final class SplitRecords implements FlatMapFunction<RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final int column;
  private transient Framing framing;

  /**
   * Creates a function.
   *
   * @param column position of the BYTES column
   */
  public SplitRecords(int column) {
    this.column = column;
  }

  @Override
  public void flatMap(RowData row, Collector<RowData> out) {
    byte[] record = row.isNullAt(column) ? null : row.getBinary(column);
    if (record == null || Framing.holdsOne(record)) {
      out.collect(with(row, record, 1, 1));
      return;
    }
    if (framing == null) {
      framing = new Framing();
    }
    int parts = framing.find(record);
    if (parts == 0) {
      out.collect(with(row, record, 1, 1));
    }
    for (int part = 0; part < parts; part++) {
      byte[] bytes = Arrays.copyOfRange(record, framing.start(part), framing.end(part));
      out.collect(with(row, bytes, part + 1, parts));
    }
  }

  private static RowData with(RowData row, byte[] part, int number, int parts) {
    return new JoinedRowData(row.getRowKind(), row, GenericRowData.of(part, number, parts));
  }
}
