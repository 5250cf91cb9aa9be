package metering.flink;

import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Attaches to each row the values of other rows of the same partition that provide the groups to
 * which it listens; a row is emitted again when such a value changes.
 *
 * <p>The columns of a row are a key (STRING, NULL for a row that is only attached), a value
 * (STRING), a version (TIMESTAMP_LTZ(3)), a position (STRING) that orders the rows of one version
 * (see {@link VersionOrder}), the arrival (TIMESTAMP_LTZ(3)), the partition, by which the input is
 * keyed, its name in the partition, and the groups that it listens to and those that it provides,
 * joined by U+001E. A row replaces the one of the same name, unless it is older. Of several
 * providers of a group the one with the first name counts.
 *
 * <p>An emitted row has the first five columns. Its value is followed by U+001E, the group, U+001D
 * and the value of the provider, for each group that has one other than the row itself; nothing if
 * it is that of the group before. Its version and position are the latest among the row and those
 * attached, and never less than before; its arrival is that of the row that caused it.
 *
 * <p>State, by partition, none with a TTL: {@code rows} and {@code emitted} (the version and
 * position of the last emission), by name; {@code providers} and {@code listeners}, names by group;
 * and {@code snapshot-read}, a union list: not empty if the operator has read its snapshot. An
 * operator that starts without state reads the rows of a {@link Snapshot} that have a partition. It
 * emits none of them: the snapshot has them with their attachments for other operators.
 */
public final class GroupJoin extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData> {

  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(GroupJoin.class);

  /** Separates attachments, and the groups of a row. */
  private static final char SEPARATOR = '\u001e';

  /** Ends the group of an attachment. */
  private static final char NAME_END = '\u001d';

  private static final int KEY = 0;
  private static final int VALUE = 1;
  private static final int VERSION = 2;
  private static final int POSITION = 3;
  private static final int ARRIVAL = 4;
  private static final int NAME = 6;
  private static final int LISTENS = 7;
  private static final int PROVIDES = 8;
  private static final int TIME_PRECISION = 3;

  private final TypeInformation<RowData> type;
  private final KeySelector<RowData, RowData> partition;
  private final Snapshot snapshot;

  private transient MapState<String, RowData> rows;
  private transient MapState<String, RowData> emitted;
  private transient ListState<Boolean> snapshotRead;

  /**
   * Creates a join.
   *
   * @param type type of the rows
   * @param partition selector of their partition
   * @param snapshot rows to start with
   */
  public GroupJoin(
      TypeInformation<RowData> type, KeySelector<RowData, RowData> partition, Snapshot snapshot) {
    this.type = type;
    this.partition = partition;
    this.snapshot = snapshot;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    rows =
        context
            .getKeyedStateStore()
            .getMapState(new MapStateDescriptor<>("rows", Types.STRING, type));
    emitted =
        context
            .getKeyedStateStore()
            .getMapState(new MapStateDescriptor<>("emitted", Types.STRING, type));
    snapshotRead =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("snapshot-read", Types.BOOLEAN));
    if (!snapshotRead.get().iterator().hasNext()) {
      long count = snapshot.forEachMember(this::storeIfOwn);
      LOG.info("Read {} rows of snapshot {}", count, snapshot);
    }
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    snapshotRead.clear();
    snapshotRead.add(true);
  }

  @Override
  public void processElement(StreamRecord<RowData> element) throws Exception {
    RowData row = element.getValue();
    String name = row.getString(NAME).toString();
    Set<String> affected = new LinkedHashSet<>();
    if (!store(name, row, affected)) {
      return;
    }
    affected.remove(name);
    emit(name, row, row.getTimestamp(ARRIVAL, TIME_PRECISION), element);
    for (String listener : affected) {
      emit(listener, rows.get(listener), row.getTimestamp(ARRIVAL, TIME_PRECISION), element);
    }
  }

  /**
   * Stores a row and its groups; returns false if it is older than the stored one.
   *
   * @param affected names of rows to which another value is attached now
   */
  private boolean store(String name, RowData row, Set<String> affected) throws Exception {
    RowData before = rows.get(name);
    if (before != null && VersionOrder.isOlder(row, before)) {
      return false;
    }
    Set<String> provided = groups(before, PROVIDES);
    Set<String> provides = groups(row, PROVIDES);
    rows.put(name, row);
    if (before != null && row.getString(VALUE).equals(before.getString(VALUE))) {
      return true;
    }
    for (String group : groups(before, LISTENS)) {
      names("listeners", group).remove(name);
    }
    for (String group : groups(row, LISTENS)) {
      names("listeners", group).put(name, true);
    }
    Set<String> changed = new LinkedHashSet<>(provided);
    changed.addAll(provides);
    for (String group : changed) {
      provide(group, name, provides.contains(group), affected);
    }
    return true;
  }

  /** Adds a provider of a group or removes it, and the listeners to which that matters. */
  private void provide(String group, String name, boolean isProvider, Set<String> affected)
      throws Exception {
    MapState<String, Boolean> providers = names("providers", group);
    String first = first(group);
    if (isProvider) {
      providers.put(name, true);
    } else {
      providers.remove(name);
    }
    if (first == null || name.compareTo(first) <= 0) {
      for (String listener : names("listeners", group).keys()) {
        affected.add(listener);
      }
    }
  }

  /** The provider of a group that counts; null if there is none. */
  private String first(String group) throws Exception {
    String first = null;
    for (String name : names("providers", group).keys()) {
      first = first == null || name.compareTo(first) < 0 ? name : first;
    }
    return first;
  }

  private void emit(String name, RowData row, TimestampData arrival, StreamRecord<RowData> cause)
      throws Exception {
    if (row.isNullAt(KEY)) {
      return;
    }
    StringBuilder value = new StringBuilder(row.getString(VALUE).toString());
    RowData latest = later(row, emitted.get(name));
    String previous = null;
    for (String group : groups(row, LISTENS)) {
      String provider = first(group);
      if (provider != null && !provider.equals(name)) {
        RowData attached = rows.get(provider);
        latest = later(attached, latest);
        value.append(SEPARATOR).append(group).append(NAME_END);
        if (!provider.equals(previous)) {
          value.append(attached.getString(VALUE));
        }
        previous = provider;
      }
    }
    GenericRowData mark = new GenericRowData(PROVIDES + 1);
    mark.setField(VERSION, latest.getTimestamp(VERSION, TIME_PRECISION));
    mark.setField(POSITION, latest.getString(POSITION));
    emitted.put(name, mark);
    GenericRowData out =
        GenericRowData.of(
            row.getString(KEY),
            StringData.fromString(value.toString()),
            mark.getField(VERSION),
            mark.getField(POSITION),
            arrival);
    StreamRecord<RowData> record = new StreamRecord<>(out);
    if (cause.hasTimestamp()) {
      record.setTimestamp(cause.getTimestamp());
    }
    output.collect(record);
  }

  private static RowData later(RowData row, RowData other) {
    return other == null || VersionOrder.isOlder(other, row) ? row : other;
  }

  private static Set<String> groups(RowData row, int column) {
    Set<String> groups = new LinkedHashSet<>();
    if (row != null && !row.isNullAt(column)) {
      for (String group : row.getString(column).toString().split(String.valueOf(SEPARATOR))) {
        if (!group.isEmpty()) {
          groups.add(group);
        }
      }
    }
    return groups;
  }

  /** The names of a group that a state has. */
  private MapState<String, Boolean> names(String state, String group) throws Exception {
    return getPartitionedState(
        group,
        StringSerializer.INSTANCE,
        new MapStateDescriptor<>(state, Types.STRING, Types.BOOLEAN));
  }

  /** Stores a row of the snapshot if its partition belongs to this subtask. */
  private void storeIfOwn(RowData row) throws Exception {
    RowData key = partition.getKey(row);
    if (OwnKeys.has(key, getRuntimeContext().getTaskInfo())) {
      setCurrentKey(key);
      store(row.getString(NAME).toString(), row, new LinkedHashSet<>());
    }
  }
}
