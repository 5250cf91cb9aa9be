package metering.flink;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedCatalogTable;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.connector.format.EncodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.factories.SerializationFormatFactory;
import org.apache.flink.table.types.DataType;

/**
 * Factory of connector {@code packed}, which writes several rows in each record of another
 * connector.
 *
 * <p>Rows are serialised in {@code format} and concatenated without a delimiter. All options except
 * those of this connector and of the format are passed on to the connector {@code
 * packed.connector}, whose table has one column of bytes.
 */
public final class PackedSinkFactory implements DynamicTableSinkFactory {
  static final ConfigOption<String> CONNECTOR =
      ConfigOptions.key("packed.connector")
          .stringType()
          .noDefaultValue()
          .withDescription("Connector that writes the records.");

  /**
   * Ten of Firehose's billing increments of 5 kB, whether a kB is 1,000 or 1,024 bytes: at most 2.4
   * % are wasted.
   */
  static final ConfigOption<MemorySize> MAX_BYTES =
      ConfigOptions.key("packed.max-bytes")
          .memoryType()
          .defaultValue(new MemorySize(50_000))
          .withDescription("Maximum size of a record. A larger row becomes a record of its own.");

  /** Firehose de-aggregates at most 500 objects of a record. */
  static final ConfigOption<Integer> MAX_ROWS =
      ConfigOptions.key("packed.max-rows")
          .intType()
          .defaultValue(500)
          .withDescription("Maximum number of rows in a record.");

  static final ConfigOption<Duration> LINGER =
      ConfigOptions.key("packed.linger")
          .durationType()
          .defaultValue(Duration.ofSeconds(1))
          .withDescription("Maximum time that a row waits for others.");

  /** Type of the wrapped connector's rows: one record. */
  static final DataType RECORD =
      DataTypes.ROW(DataTypes.FIELD("record", DataTypes.BYTES())).notNull();

  private static final String IDENTIFIER = "packed";

  @Override
  public String factoryIdentifier() {
    return IDENTIFIER;
  }

  @Override
  public Set<ConfigOption<?>> requiredOptions() {
    return Set.of(CONNECTOR, FactoryUtil.FORMAT);
  }

  @Override
  public Set<ConfigOption<?>> optionalOptions() {
    return Set.of(MAX_BYTES, MAX_ROWS, LINGER);
  }

  @Override
  public DynamicTableSink createDynamicTableSink(Context context) {
    FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
    EncodingFormat<SerializationSchema<RowData>> format =
        helper.discoverEncodingFormat(SerializationFormatFactory.class, FactoryUtil.FORMAT);
    ReadableConfig options = helper.getOptions();
    // The wrapped connector validates the remaining options.
    FactoryUtil.validateFactoryOptions(this, options);
    refuseUnknown(context.getCatalogTable().getOptions().keySet());
    PackLimits limits =
        new PackLimits(options.get(MAX_BYTES), options.get(MAX_ROWS), options.get(LINGER));
    String name = context.getObjectIdentifier().getObjectName();
    return new PackedSink(
        name, records(context, options), format, context.getPhysicalRowDataType(), limits);
  }

  private void refuseUnknown(Set<String> keys) {
    Set<String> known = new HashSet<>();
    requiredOptions().forEach(option -> known.add(option.key()));
    optionalOptions().forEach(option -> known.add(option.key()));
    for (String key : keys) {
      if (key.startsWith(IDENTIFIER + ".") && !known.contains(key)) {
        throw new ValidationException("Unknown option " + key + " of connector packed.");
      }
    }
  }

  /** Returns the wrapped connector's sink for a table with one column of bytes. */
  private static DynamicTableSink records(Context context, ReadableConfig options) {
    String format = options.get(FactoryUtil.FORMAT);
    Map<String, String> passed = new HashMap<>(context.getCatalogTable().getOptions());
    passed
        .keySet()
        .removeIf(key -> key.startsWith(IDENTIFIER + ".") || key.startsWith(format + "."));
    passed.put(FactoryUtil.CONNECTOR.key(), options.get(CONNECTOR));
    passed.put(FactoryUtil.FORMAT.key(), "raw");
    ResolvedSchema schema = ResolvedSchema.of(Column.physical("record", DataTypes.BYTES()));
    CatalogTable table =
        CatalogTable.newBuilder()
            .schema(Schema.newBuilder().fromResolvedSchema(schema).build())
            .options(passed)
            .build();
    return FactoryUtil.createDynamicTableSink(
        null,
        context.getObjectIdentifier(),
        new ResolvedCatalogTable(table, schema),
        Map.of(),
        context.getConfiguration(),
        context.getClassLoader(),
        context.isTemporary());
  }
}
