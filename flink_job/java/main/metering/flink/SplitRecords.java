package metering.flink;

import java.util.Arrays;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.JoinedRowData;
import org.apache.flink.util.Collector;

/**
 * Each row with the parts of one of its columns, a row for each: columns part (BYTES), part_number (INT, from 1) and
 * parts (INT) are added. {@link Framing} defines which records hold several.
 */
public class SplitRecords implements FlatMapFunction<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final int column;
    private transient Framing framing;

    /** Of the records in BYTES column {@code column}, counted from 0. */
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
