package metering.flink;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Columns of changes of alerts: those of the table {@code alerts}. Rows that were read back have
 * one more, the time at which they were written (TIMESTAMP_LTZ(3)).
 */
public final class AlertColumns implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final int TIME_PRECISION = 3;
  private static final String CLEARED = "cleared";
  private static final String LATCHED = "latched";

  private final LogicalType[] types;
  private final int alertId;
  private final int number;
  private final int state;
  private final int detail;
  private final int arrival;
  private transient RowData.FieldGetter[] getters;

  /**
   * Names the columns that are read or changed.
   *
   * @param names names of the columns, among them alert_id, state, detail (STRING), change_number
   *     (INT) and arrival (TIMESTAMP(3))
   * @param types their types
   */
  public AlertColumns(String[] names, LogicalType[] types) {
    List<String> found = List.of(names);
    this.types = types;
    alertId = found.indexOf("alert_id");
    number = found.indexOf("change_number");
    state = found.indexOf("state");
    detail = found.indexOf("detail");
    arrival = found.indexOf("arrival");
  }

  /** Returns whether a row has no alert and only advances event time. */
  boolean isClock(RowData row) {
    return row.getString(alertId).toString().isEmpty();
  }

  /** Returns whether the alert is open after a change. */
  boolean isOpen(RowData row) {
    String now = row.getString(state).toString();
    return !now.equals(CLEARED) && !now.equals(LATCHED);
  }

  long number(RowData row) {
    return row.getInt(number);
  }

  /** Returns the time of arrival of the record that caused a change [epoch ms]. */
  long arrival(RowData row) {
    return row.getTimestamp(arrival, TIME_PRECISION).getMillisecond();
  }

  /** Returns the time at which a change that was read back was written [epoch ms]. */
  long written(RowData row) {
    return row.getTimestamp(types.length, TIME_PRECISION).getMillisecond();
  }

  /** Returns a change without what was added when it was read back. */
  GenericRowData change(RowData row) {
    if (getters == null) {
      getters = new RowData.FieldGetter[types.length];
      for (int at = 0; at < types.length; at++) {
        getters[at] = RowData.createFieldGetter(types[at], at);
      }
    }
    GenericRowData copy = new GenericRowData(types.length);
    for (int at = 0; at < types.length; at++) {
      copy.setField(at, getters[at].getFieldOrNull(row));
    }
    return copy;
  }

  /** Returns a change with another number. */
  GenericRowData renumbered(RowData row, long changeNumber) {
    GenericRowData copy = change(row);
    copy.setField(number, (int) changeNumber);
    return copy;
  }

  /**
   * Returns the change that ends an alert after its last one, for a reason, at a time [epoch ms].
   */
  GenericRowData ended(RowData last, long changeNumber, String reason, long nowMs) {
    GenericRowData end = renumbered(last, changeNumber);
    end.setField(state, StringData.fromString(CLEARED));
    end.setField(detail, StringData.fromString(reason));
    end.setField(arrival, TimestampData.fromEpochMillis(nowMs));
    return end;
  }
}
