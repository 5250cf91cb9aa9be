package metering.flink;

import java.io.ByteArrayOutputStream;
import org.apache.flink.api.common.operators.ProcessingTimeService.ProcessingTimeCallback;
import org.apache.flink.api.common.serialization.RuntimeContextInitializationContextAdapters;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;

/**
 * Serialises rows and concatenates them into records of limited size, row count and age.
 *
 * <p>A record is emitted before it would exceed its {@link PackLimits}, when its first row reaches
 * the linger, before a checkpoint barrier and at the end of the input. So the operator has no
 * state: the rows that it buffers were read after the last checkpoint, and are read again after a
 * failure. A row larger than the limit becomes a record of its own.
 */
final class PackOperator extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData>, BoundedOneInput, ProcessingTimeCallback {
  private static final long serialVersionUID = 1L;

  private final SerializationSchema<RowData> format;
  private final PackLimits limits;

  private transient ByteArrayOutputStream record;
  private transient int rows;
  private transient long dueMs;
  private transient boolean timerIsSet;

  PackOperator(SerializationSchema<RowData> format, PackLimits limits) {
    this.format = format;
    this.limits = limits;
    this.chainingStrategy = ChainingStrategy.ALWAYS;
  }

  @Override
  public void open() throws Exception {
    super.open();
    format.open(
        RuntimeContextInitializationContextAdapters.serializationAdapter(getRuntimeContext()));
    record = new ByteArrayOutputStream(limits.maxBytes);
  }

  @Override
  public void processElement(StreamRecord<RowData> element) {
    byte[] row = format.serialize(element.getValue());
    if (record.size() + row.length > limits.maxBytes) {
      emit();
    }
    if (rows == 0) {
      dueMs = getProcessingTimeService().getCurrentProcessingTime() + limits.lingerMs;
      setTimer();
    }
    record.writeBytes(row);
    rows++;
    if (rows >= limits.maxRows || record.size() >= limits.maxBytes) {
      emit();
    }
  }

  /**
   * At most one timer is pending. If its record has been emitted, it is set again for the present
   * one.
   */
  @Override
  public void onProcessingTime(long time) {
    timerIsSet = false;
    if (rows == 0) {
      return;
    }
    if (time >= dueMs) {
      emit();
    } else {
      setTimer();
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    emit();
    super.prepareSnapshotPreBarrier(checkpointId);
  }

  @Override
  public void endInput() {
    emit();
  }

  private void setTimer() {
    if (!timerIsSet) {
      timerIsSet = true;
      getProcessingTimeService().registerTimer(dueMs, this);
    }
  }

  private void emit() {
    if (rows == 0) {
      return;
    }
    byte[] packed = record.toByteArray();
    record.reset();
    rows = 0;
    output.collect(new StreamRecord<>(GenericRowData.of((Object) packed)));
  }
}
