package metering.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.catalog.ResolvedCatalogTable;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.runtime.connector.sink.SinkRuntimeProviderContext;
import org.junit.jupiter.api.Test;

class PackedSinkFactoryTest {
  /** Format raw needs no further jar and has one column. */
  private static DynamicTableSink sink(Map<String, String> more) {
    Map<String, String> options = new HashMap<>();
    options.put("connector", "packed");
    options.put("packed.connector", "firehose");
    options.put("delivery-stream", "metering-costs");
    options.put("aws.region", "eu-west-1");
    options.put("format", "raw");
    options.putAll(more);
    options.values().removeIf(String::isEmpty);
    ResolvedSchema schema = ResolvedSchema.of(Column.physical("reading", DataTypes.STRING()));
    CatalogTable table =
        CatalogTable.newBuilder()
            .schema(Schema.newBuilder().fromResolvedSchema(schema).build())
            .options(options)
            .build();
    return FactoryUtil.createDynamicTableSink(
        null,
        ObjectIdentifier.of("default_catalog", "default_database", "sink_costs"),
        new ResolvedCatalogTable(table, schema),
        Map.of(),
        new Configuration(),
        PackedSinkFactoryTest.class.getClassLoader(),
        true);
  }

  private static String refused(Map<String, String> more) {
    Throwable error = assertThrows(ValidationException.class, () -> sink(more));
    StringBuilder text = new StringBuilder();
    for (; error != null; error = error.getCause()) {
      text.append(error.getMessage()).append('\n');
    }
    return text.toString();
  }

  @Test
  void isDiscoveredByNameAndWrapsTheOtherConnector() {
    DynamicTableSink sink =
        sink(Map.of("sink.batch.max-size", "50", "raw.endianness", "big-endian"));
    assertEquals("packed firehose", sink.asSummaryString());
    assertEquals("packed firehose", sink.copy().asSummaryString());
    Object provider = sink.getSinkRuntimeProvider(new SinkRuntimeProviderContext(false));
    assertTrue(provider instanceof DataStreamSinkProvider, provider.getClass().getName());
  }

  @Test
  void optionsOfTheOtherConnectorReachIt() {
    // The wrapped connector refuses it, so the option was passed on.
    String text = refused(Map.of("sink.batch.max-size", "-1"));
    assertTrue(text.contains("sink.batch.max-size"), text);
  }

  @Test
  void missingOptionsAreNamed() {
    for (String option : List.of("packed.connector", "delivery-stream")) {
      String text = refused(Map.of(option, ""));
      assertTrue(text.contains("Missing required options are:\n\n" + option), text);
    }
    assertTrue(
        refused(Map.of("format", "")).contains("Could not find required sink format 'format'"));
  }

  @Test
  void invalidOptionsAreNamed() {
    assertTrue(
        refused(Map.of("packed.max-rows", "0"))
            .contains("packed.max-rows must be at least 1, not 0"));
    assertTrue(
        refused(Map.of("packed.max-bytes", "0 b")).contains("packed.max-bytes must be between"));
    assertTrue(
        refused(Map.of("packed.linger", "0 ms")).contains("packed.linger must be at least 1 ms"));
    assertTrue(refused(Map.of("packed.lingers", "1 s")).contains("Unknown option packed.lingers"));
  }
}
