package metering.flink;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.apache.flink.core.fs.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonCreator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.annotation.JsonProperty;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.MappingIterator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.util.function.ThrowingConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.core.exception.SdkException;

/**
 * A file of rows with the columns key, value, version, position and arrival, which is the version:
 * NDJSON compressed with gzip, a row in each line, such as {@code {"key": "…", "value": "…",
 * "version_ms": 1, "position": "2"}}. A row for {@link GroupJoin} has {@code "member":
 * {"partition": "…", "name": "…", "listens": "…", "provides": "…"}}, too; its key may be empty.
 *
 * <p>The file is an object on S3 ({@code s3://bucket/key}), or a file of any Flink file system.
 */
public final class Snapshot implements Serializable {

  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(Snapshot.class);

  /** Further columns of a row for {@link GroupJoin}. */
  private static final List<String> MEMBER = List.of("partition", "name", "listens", "provides");

  private static final ObjectReader LINES =
      new ObjectMapper()
          .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .readerFor(Line.class);

  private final String uri;
  private final String region;
  private final String endpoint;

  /**
   * Creates a snapshot; the file is opened by {@link #forEach}.
   *
   * @param uri the file; empty for no file
   * @param region the AWS region of the bucket, for an object on S3
   * @param endpoint the endpoint of S3; empty for that of AWS
   */
  public Snapshot(String uri, String region, String endpoint) {
    this.uri = uri;
    this.region = region;
    this.endpoint = endpoint;
  }

  /**
   * Calls {@code action} with each row that has a key, in the order of the file; never if the file
   * does not exist.
   *
   * @return the number of rows
   * @throws IOException if the file cannot be read; the message contains its URI
   */
  public long forEach(ThrowingConsumer<RowData, Exception> action) throws Exception {
    return forEach(false, action);
  }

  /** Calls {@code action} with each row for {@link GroupJoin}, as {@link #forEach}. */
  long forEachMember(ThrowingConsumer<RowData, Exception> action) throws Exception {
    return forEach(true, action);
  }

  private long forEach(boolean isMember, ThrowingConsumer<RowData, Exception> action)
      throws Exception {
    if (uri.isEmpty()) {
      return 0;
    }
    long count = 0;
    try (InputStream file = open();
        MappingIterator<Line> lines = lines(file)) {
      for (Line line = next(lines); line != null; line = next(lines)) {
        if (isMember ? line.member != null : !line.row.isNullAt(0)) {
          action.accept(isMember ? line.wide() : line.row);
          count++;
        }
      }
    } catch (FileNotFoundException e) {
      LOG.warn("Snapshot {} does not exist: the state starts empty", uri);
    }
    return count;
  }

  @Override
  public String toString() {
    return uri.isEmpty() ? "(none)" : uri;
  }

  private InputStream open() throws IOException {
    try {
      if (uri.startsWith("s3://")) {
        return S3Object.open(uri, region, endpoint);
      }
      Path path = new Path(uri);
      return path.getFileSystem().open(path);
    } catch (FileNotFoundException e) {
      throw e;
    } catch (IOException | SdkException e) {
      throw unreadable(e);
    }
  }

  private MappingIterator<Line> lines(InputStream file) throws IOException {
    try {
      return LINES.readValues(new GZIPInputStream(file));
    } catch (IOException | SdkException e) {
      throw unreadable(e);
    }
  }

  private Line next(MappingIterator<Line> lines) throws IOException {
    try {
      return lines.hasNextValue() ? lines.nextValue() : null;
    } catch (IOException | SdkException e) {
      throw unreadable(e);
    }
  }

  private IOException unreadable(Exception cause) {
    return new IOException(
        "Snapshot "
            + uri
            + " cannot be read: "
            + cause.getMessage()
            + ". Write it again, or start the job without a snapshot.",
        cause);
  }

  private static final class Line {

    private final GenericRowData row;

    /** Partition, name, and groups of a row for {@link GroupJoin}; else null. */
    @JsonProperty("member")
    private Map<String, String> member;

    @JsonCreator
    Line(
        @JsonProperty(value = "key", required = true) String key,
        @JsonProperty(value = "value", required = true) String value,
        @JsonProperty(value = "version_ms", required = true) long versionMs,
        @JsonProperty(value = "position", required = true) String position) {
      row =
          GenericRowData.of(
              key.isEmpty() ? null : StringData.fromString(key),
              StringData.fromString(value),
              TimestampData.fromEpochMillis(versionMs),
              StringData.fromString(position),
              TimestampData.fromEpochMillis(versionMs));
    }

    private RowData wide() {
      GenericRowData wide = new GenericRowData(row.getArity() + MEMBER.size());
      for (int column = 0; column < row.getArity(); column++) {
        wide.setField(column, row.getField(column));
      }
      for (int column = 0; column < MEMBER.size(); column++) {
        String text = member.getOrDefault(MEMBER.get(column), "");
        wide.setField(row.getArity() + column, StringData.fromString(text));
      }
      return wide;
    }
  }
}
