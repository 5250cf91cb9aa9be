package metering.flink;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * A {@link WindowRollup} that knows which rows are expected: a key that is silent has windows, too.
 *
 * <p>The second input has the terms of a key: a time zone (STRING), and the times from which and
 * until which rows of the key are expected (BIGINT, epoch ms). Of its watermarks only the end
 * counts: the first input ends after it. Within its terms a key has a day whether rows arrive or
 * not, and an hour once rows have arrived, from the first watermark that follows the terms.
 *
 * <p>A slot of a key that has terms, or rows, is expected to have as many rows as multiples of the
 * interval start in it. The interval is that of its rows, else that of the rows before, else that
 * of its terms (INT, s; 0 for none), else a default. In a run to the end of the input, where there
 * are no watermarks before, rows are expected between the first and the last row of the key's
 * peers, of those that this subtask has processed.
 *
 * <p>State, by key, beside that of {@link WindowRollup}: {@code terms}.
 */
public final class ExpectedRollup extends WindowRollup
    implements TwoInputStreamOperator<RowData, RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final int zone;
  private final int from;
  private final int until;
  private final int peers;
  private final int termsPeers;
  private final int termsInterval;
  private final int defaultIntervalS;

  private transient ValueState<Tuple5<String, Long, Long, String, Integer>> terms;
  private transient Map<StringData, long[]> spans;
  private transient InputEnds ends;
  private transient boolean rowsEnded;
  private transient boolean termsEnded;

  /**
   * Creates a rollup.
   *
   * @param columns positions of the columns of the first input
   * @param peers position of the name of the key's peers (STRING) in the first input
   * @param terms positions of zone, from, until, peers and interval in the second input
   * @param ttlMs time after which sums expire
   * @param correctionDelayMs event time over which corrections are collected
   * @param defaultIntervalS interval of a key without rows
   */
  public ExpectedRollup(
      RollupColumns columns,
      int peers,
      int[] terms,
      long ttlMs,
      long correctionDelayMs,
      int defaultIntervalS) {
    super(columns, ttlMs, correctionDelayMs);
    this.zone = terms[0];
    this.from = terms[1];
    this.until = terms[2];
    this.termsPeers = terms[3];
    this.termsInterval = terms[4];
    this.peers = peers;
    this.defaultIntervalS = defaultIntervalS;
  }

  @Override
  public void open() throws Exception {
    super.open();
    spans = new HashMap<>();
    terms =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>(
                    "terms",
                    Types.TUPLE(Types.STRING, Types.LONG, Types.LONG, Types.STRING, Types.INT)));
  }

  @Override
  public void processElement1(StreamRecord<RowData> element) throws Exception {
    RowData row = element.getValue();
    long startMs = row.getLong(columns.start);
    long endMs = startMs + row.getInt(columns.interval) * 1000L;
    StringData name = row.getString(peers);
    long[] span = spans.get(name);
    if (span == null) {
      spans.put(((BinaryStringData) name).copy(), new long[] {startMs, endMs});
    } else {
      span[0] = Math.min(span[0], startMs);
      span[1] = Math.max(span[1], endMs);
    }
    processElement(element);
  }

  @Override
  long endMs() throws Exception {
    ExpectedTerms current = ExpectedTerms.of(terms.value());
    long[] span = current == null ? null : spans.get(StringData.fromString(current.peers));
    return span == null ? Long.MIN_VALUE : floor(span[1]);
  }

  @Override
  boolean isPartial(boolean isMarked, long startMs, long endMs) throws Exception {
    ExpectedTerms known = hasWatermarks() ? null : ExpectedTerms.of(terms.value());
    if (known == null) {
      return super.isPartial(false, startMs, endMs);
    }
    StringData name = StringData.fromString(known.peers);
    long[] span = spans.get(name);
    return span != null && ends.cut(name, span[1], startMs, endMs);
  }

  /** Collects where the rows of each key end. */
  private InputEnds endsOfKeys() throws Exception {
    InputEnds found = new InputEnds();
    getKeyedStateBackend()
        .applyToAllKeys(
            VoidNamespace.INSTANCE,
            VoidNamespaceSerializer.INSTANCE,
            progressDescriptor(),
            (key, state) -> {
              ExpectedTerms known = ExpectedTerms.of(terms.value());
              long endMs = endOfRows(RollupProgress.read(state));
              if (known != null && endMs != RollupProgress.NONE) {
                found.add(StringData.fromString(known.peers), endMs);
              }
            });
    found.complete();
    return found;
  }

  @Override
  public void processElement2(StreamRecord<RowData> element) throws Exception {
    RowData row = element.getValue();
    ExpectedTerms given =
        new ExpectedTerms(
            row.getString(zone).toString(),
            row.getLong(from),
            row.getLong(until),
            row.getString(termsPeers).toString(),
            row.getInt(termsInterval));
    terms.update(given.stored());
    RollupProgress at = progress();
    if (at.intervalS == 0) {
      at.intervalS = given.intervalS;
    }
    if (at.expectedUntilMs <= watermark()) {
      // Expected again, or for the first time: from the next watermark on.
      at.expectedFromMs = RollupProgress.NONE;
    } else {
      at.expectedFromMs = Math.max(given.fromMs, at.expectedFromMs);
      at.expectedUntilMs = given.untilMs;
    }
    write(at);
    schedule(at, watermark() + 1);
  }

  @Override
  long openExpected(RollupProgress at, long reachedMs, boolean isEnd) throws Exception {
    ExpectedTerms known = null;
    if (at.expectedFromMs == RollupProgress.NONE || isEnd) {
      known = ExpectedTerms.of(terms.value());
      long[] span = known == null ? null : spans.get(StringData.fromString(known.peers));
      if (known == null || isEnd && span == null) {
        return Long.MAX_VALUE;
      }
      if (at.expectedFromMs == RollupProgress.NONE) {
        at.expectedFromMs = Math.max(known.fromMs, isEnd ? floor(span[0]) : reachedMs);
        at.expectedUntilMs = known.untilMs;
      }
    }
    long fromMs = floor(Math.max(at.expectedFromMs, at.closedMs));
    emitUnheard(at, fromMs, Math.min(reachedMs, at.firstMs));
    openGroups(at, Math.max(fromMs, at.firstMs), reachedMs);
    boolean goesOn = !isEnd && reachedMs < at.expectedUntilMs;
    return goesOn ? Math.max(reachedMs, floor(at.expectedFromMs)) + SLOT_MS : Long.MAX_VALUE;
  }

  /**
   * Notes the first group with rows; hours that follow it have totals, whether they have rows or
   * not.
   */
  @Override
  boolean hear(RollupProgress at, long groupMs) throws Exception {
    if (groupMs >= at.firstMs) {
      return false;
    }
    if (at.heardMs == RollupProgress.NONE) {
      at.heardMs = Math.max(at.closedMs, RollupProgress.NONE + 1);
    }
    long untilMs = Math.min(at.firstMs, at.closedMs);
    at.firstMs = groupMs;
    if (at.expectedFromMs != RollupProgress.NONE) {
      openGroups(at, floor(Math.max(at.expectedFromMs, groupMs)), untilMs);
    }
    return true;
  }

  /** Adds the groups of a key in which rows are expected. */
  private void openGroups(RollupProgress at, long fromMs, long reachedMs) throws Exception {
    ExpectedTerms known = null;
    long slotMs = fromMs;
    while (slotMs < Math.min(reachedMs, at.expectedUntilMs)) {
      if (at.endOfGroup(slotMs) == RollupProgress.NONE) {
        known = known == null ? ExpectedTerms.of(terms.value()) : known;
        long[] day = known.day(slotMs);
        long groupMs = load(at, slotMs, day[0], day[1]);
        markPending(at, groupMs);
        store(groupMs);
      }
      // The group may have another day than the terms, after a change of zone, and not include the
      // slot.
      slotMs = Math.max(at.endOfGroup(slotMs), slotMs + SLOT_MS);
    }
  }

  /**
   * Emits the slots of a key before its first rows, as changes; its days are its only totals.
   * Nothing is stored: what is expected follows from the terms, and keys that never have rows may
   * be many.
   */
  private void emitUnheard(RollupProgress at, long fromMs, long reachedMs) throws Exception {
    ExpectedTerms known = null;
    long[] day = null;
    long slotMs = fromMs;
    while (slotMs < Math.min(reachedMs, at.expectedUntilMs)) {
      known = known == null ? ExpectedTerms.of(terms.value()) : known;
      day = day == null || slotMs >= day[0] + day[1] ? known.day(slotMs) : day;
      long groupMs = start(slotMs, day[0]);
      long endMs = end(groupMs, day[0] + day[1]);
      group.clear(day[0], day[1]);
      addUntil(at, known.intervalS, groupMs, reachedMs);
      markPartial(groupMs, endMs, watermark() == Long.MAX_VALUE);
      for (; slotMs < Math.min(endMs, reachedMs); slotMs += SLOT_MS) {
        int slot = (int) ((slotMs - groupMs) / SLOT_MS);
        if (!group.isEmpty(slot)) {
          rows.slot(group, slot, slotMs, false, true, false);
        }
      }
      at.days = RollupProgress.with(at.days, day[0], day[0] + day[1]);
    }
  }

  @Override
  void addUnheard(RollupProgress at, long groupMs) throws Exception {
    boolean isHeard = at.heardMs != RollupProgress.NONE;
    long untilMs = isHeard ? Math.max(at.heardMs, at.firstMs) : at.reachedMs;
    if (groupMs < untilMs && at.expectedFromMs != RollupProgress.NONE) {
      addUntil(at, ExpectedTerms.of(terms.value()).intervalS, groupMs, untilMs);
    }
  }

  /** Adds to {@link #group} the rows that are expected until a time. */
  private void addUntil(RollupProgress at, long intervalS, long groupMs, long untilMs) {
    long endMs = Math.min(untilMs, end(groupMs, group.dayStartMs + group.dayMs));
    for (long slotMs = groupMs; slotMs + SLOT_MS <= endMs; slotMs += SLOT_MS) {
      if (at.expects(slotMs)) {
        int slot = (int) ((slotMs - groupMs) / SLOT_MS);
        group.sums[slot][RollupColumns.EXPECTED] += expectedIn(slotMs, intervalS);
      }
    }
  }

  /** Returns the number of rows whose intervals start in a slot. */
  private long expectedIn(long slotMs, long intervalS) {
    long intervalMs = 1000 * (intervalS == 0 ? defaultIntervalS : intervalS);
    long offsetMs = slotMs - group.dayStartMs;
    return Math.floorDiv(offsetMs + SLOT_MS - 1, intervalMs)
        - Math.floorDiv(offsetMs - 1, intervalMs);
  }

  @Override
  void addExpected(RollupProgress at, int slot, long slotMs, long reachedMs) {
    if (group.intervals[slot] != 0) {
      at.intervalS = group.intervals[slot];
    } else if (!at.expects(slotMs) || slotMs >= reachedMs) {
      return;
    }
    group.sums[slot][RollupColumns.EXPECTED] += expectedIn(slotMs, at.intervalS);
  }

  @Override
  void observeLate(RollupProgress at, int intervalS) throws Exception {
    if (intervalS > 0 && at.intervalS != intervalS) {
      at.intervalS = intervalS;
      write(at);
    }
  }

  @Override
  boolean hasEmptyTotals() {
    return false;
  }

  @Override
  public void processWatermark1(Watermark mark) throws Exception {
    rowsEnded = mark.equals(Watermark.MAX_WATERMARK);
    if (!rowsEnded || termsEnded) {
      advance(mark);
    }
  }

  @Override
  public void processWatermark2(Watermark mark) throws Exception {
    termsEnded = mark.equals(Watermark.MAX_WATERMARK);
    if (rowsEnded && termsEnded) {
      advance(mark);
    }
  }

  private void advance(Watermark mark) throws Exception {
    if (rowsEnded && !hasWatermarks()) {
      ends = endsOfKeys();
    }
    processWatermark(mark);
  }
}
