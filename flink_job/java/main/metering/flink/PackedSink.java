package metering.flink;

import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;

/**
 * Table sink that packs rows into records ({@link PackOperator}) and writes these with another
 * sink.
 */
final class PackedSink implements DynamicTableSink {
  private final String name;
  private final DynamicTableSink records;
  private final EncodingFormat<SerializationSchema<RowData>> format;
  private final DataType rowType;
  private final PackLimits limits;

  PackedSink(
      String name,
      DynamicTableSink records,
      EncodingFormat<SerializationSchema<RowData>> format,
      DataType rowType,
      PackLimits limits) {
    this.name = name;
    this.records = records;
    this.format = format;
    this.rowType = rowType;
    this.limits = limits;
  }

  @Override
  public ChangelogMode getChangelogMode(ChangelogMode requestedMode) {
    return ChangelogMode.insertOnly();
  }

  @Override
  public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
    SerializationSchema<RowData> serializer = format.createRuntimeEncoder(context, rowType);
    SinkRuntimeProvider provider = records.getSinkRuntimeProvider(context);
    if (!(provider instanceof SinkV2Provider)) {
      throw new TableException(
          "Rows cannot be packed for "
              + records.asSummaryString()
              + ": its connector does not provide a SinkV2.");
    }
    return new Provider(name, serializer, limits, (SinkV2Provider) provider);
  }

  @Override
  public DynamicTableSink copy() {
    return new PackedSink(name, records.copy(), format, rowType, limits);
  }

  @Override
  public String asSummaryString() {
    return "packed " + records.asSummaryString();
  }

  /**
   * Adds the operator and the sink to a stream of rows, both with the parallelism of the stream
   * and, like the planner's own sinks, with the name of the table, from which uids are derived.
   */
  private static final class Provider implements DataStreamSinkProvider {
    private final String name;
    private final SerializationSchema<RowData> serializer;
    private final PackLimits limits;
    private final SinkV2Provider records;

    private Provider(
        String name,
        SerializationSchema<RowData> serializer,
        PackLimits limits,
        SinkV2Provider records) {
      this.name = name;
      this.serializer = serializer;
      this.limits = limits;
      this.records = records;
    }

    @Override
    public DataStreamSink<?> consumeDataStream(ProviderContext context, DataStream<RowData> rows) {
      SingleOutputStreamOperator<RowData> packed =
          rows.transform(
              name + " pack",
              InternalTypeInfo.of(PackedSinkFactory.RECORD.getLogicalType()),
              new PackOperator(serializer, limits));
      packed.getTransformation().setParallelism(rows.getParallelism(), false);
      context.generateUid("pack").ifPresent(packed::uid);
      DataStreamSink<RowData> sink = packed.sinkTo(records.createSink()).name(name);
      sink.getTransformation().setParallelism(rows.getParallelism(), false);
      context.generateUid("records").ifPresent(sink::uid);
      return sink;
    }
  }
}
