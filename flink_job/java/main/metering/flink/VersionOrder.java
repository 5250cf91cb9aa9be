package metering.flink;

import org.apache.flink.table.data.RowData;

/**
 * Order of rows with the columns key, value, version and position: by version, then by position.
 *
 * <p>Positions are decimal numbers of any length, such as the sequence numbers of Kinesis.
 */
final class VersionOrder {

  private static final int VERSION = 2;
  private static final int VERSION_PRECISION = 3;
  private static final int POSITION = 3;

  private VersionOrder() {}

  /** Whether {@code row} comes before {@code other}. */
  static boolean isOlder(RowData row, RowData other) {
    int byVersion = Long.compare(versionMs(row), versionMs(other));
    return byVersion != 0 ? byVersion < 0 : isLess(position(row), position(other));
  }

  private static long versionMs(RowData row) {
    return row.getTimestamp(VERSION, VERSION_PRECISION).getMillisecond();
  }

  private static String position(RowData row) {
    return row.getString(POSITION).toString();
  }

  private static boolean isLess(String number, String other) {
    int byLength = Integer.compare(number.length(), other.length());
    return byLength != 0 ? byLength < 0 : number.compareTo(other) < 0;
  }
}
