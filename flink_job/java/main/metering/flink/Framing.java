package metering.flink;

import java.util.Arrays;

/**
 * Boundaries of the JSON values in a record: the elements of an array, or objects separated by line
 * breaks. Only the framing is read (brackets, strings, commas); the parts are not validated. A
 * record with broken framing is not split.
 *
 * <p>flink_job/metering/framing.py is the same in Python; tests compare the two.
 */
final class Framing {
  /** Limits of the number of parts and of nesting; a record beyond either is not split. */
  static final int MAX_PARTS = 10_000;

  static final int MAX_DEPTH = 64;
  private static final int BROKEN = -1;

  private int[] starts = new int[16];
  private int[] ends = new int[16];
  private int count;

  /**
   * Whether one pass over the bytes shows that the record has a single part, as nearly every record
   * has.
   */
  static boolean holdsOne(byte[] bytes) {
    int first = skipSpace(bytes, 0);
    if (first == bytes.length || bytes[first] != '{') {
      return first == bytes.length || bytes[first] != '[';
    }
    for (int at = first; at < bytes.length; at++) {
      if (bytes[at] == '\n') {
        at = skipSpace(bytes, at);
        if (at < bytes.length && bytes[at] == '{') {
          return false;
        }
      }
    }
    return true;
  }

  /** Finds the parts and returns their number, 0 for a record that is not split. */
  int find(byte[] bytes) {
    count = 0;
    int first = skipSpace(bytes, 0);
    if (first == bytes.length) {
      return 0;
    }
    boolean whole =
        bytes[first] == '[' ? findElements(bytes, first + 1) : findObjects(bytes, first);
    return whole ? count : 0;
  }

  int start(int part) {
    return starts[part];
  }

  int end(int part) {
    return ends[part];
  }

  private boolean findObjects(byte[] bytes, int first) {
    int at = first;
    while (at < bytes.length) {
      if (bytes[at] != '{') {
        return false;
      }
      int end = skipNested(bytes, at);
      if (end == BROKEN || !add(at, end)) {
        return false;
      }
      at = skipSpace(bytes, end);
      if (at < bytes.length && !hasLineBreak(bytes, end, at)) {
        return false;
      }
    }
    return count > 1;
  }

  private boolean findElements(byte[] bytes, int first) {
    boolean hasObject = false;
    int start = skipSpace(bytes, first);
    int at = start;
    while (at < bytes.length) {
      byte sign = bytes[at];
      if (sign == ',' || sign == ']') {
        if (at == start || !add(start, trimmed(bytes, at))) {
          return false;
        }
        hasObject |= bytes[start] == '{';
        if (sign == ']') {
          return hasObject && skipSpace(bytes, at + 1) == bytes.length;
        }
        start = skipSpace(bytes, at + 1);
        at = start;
      } else if (sign == '}') {
        return false;
      } else {
        at =
            sign == '{' || sign == '['
                ? skipNested(bytes, at)
                : sign == '"' ? skipString(bytes, at) : at + 1;
        if (at == BROKEN) {
          return false;
        }
      }
    }
    return false;
  }

  /** Returns the end of the object or array that begins at {@code first}. */
  private static int skipNested(byte[] bytes, int first) {
    long objects = 0;
    int depth = 0;
    int at = first;
    while (at < bytes.length) {
      byte sign = bytes[at];
      if (sign == '"') {
        at = skipString(bytes, at);
        if (at == BROKEN) {
          return BROKEN;
        }
        continue;
      }
      if (sign == '{' || sign == '[') {
        if (depth == MAX_DEPTH) {
          return BROKEN;
        }
        objects = objects << 1 | (sign == '{' ? 1 : 0);
        depth++;
      } else if (sign == '}' || sign == ']') {
        if ((objects & 1) != (sign == '}' ? 1 : 0)) {
          return BROKEN;
        }
        objects >>>= 1;
        depth--;
        if (depth == 0) {
          return at + 1;
        }
      }
      at++;
    }
    return BROKEN;
  }

  /**
   * Returns the end of the string that begins at {@code first}. JSON has no line breaks in strings.
   */
  private static int skipString(byte[] bytes, int first) {
    for (int at = first + 1; at < bytes.length; at++) {
      if (bytes[at] == '"') {
        return at + 1;
      }
      if (bytes[at] == '\\') {
        at++;
      } else if (bytes[at] == '\n') {
        return BROKEN;
      }
    }
    return BROKEN;
  }

  private boolean add(int start, int end) {
    if (count == MAX_PARTS) {
      return false;
    }
    if (count == starts.length) {
      starts = Arrays.copyOf(starts, count * 2);
      ends = Arrays.copyOf(ends, count * 2);
    }
    starts[count] = start;
    ends[count++] = end;
    return true;
  }

  private static int skipSpace(byte[] bytes, int first) {
    int at = first;
    while (at < bytes.length && isSpace(bytes[at])) {
      at++;
    }
    return at;
  }

  /** Returns {@code end} less the whitespace before it. */
  private static int trimmed(byte[] bytes, int end) {
    int at = end;
    while (isSpace(bytes[at - 1])) {
      at--;
    }
    return at;
  }

  private static boolean hasLineBreak(byte[] bytes, int from, int to) {
    for (int at = from; at < to; at++) {
      if (bytes[at] == '\n') {
        return true;
      }
    }
    return false;
  }

  private static boolean isSpace(byte sign) {
    return sign == ' ' || sign == '\t' || sign == '\n' || sign == '\r';
  }
}
