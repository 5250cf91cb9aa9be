import io.trino.Session;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;

import static io.trino.testing.TestingSession.testSessionBuilder;

/** Runs the statements of a file, a line with ";" after each, in Trino; prints the columns, types and rows of each. */
public class RunTrino
{
    public static void main(String[] arguments) throws Exception
    {
        Session session = testSessionBuilder().setCatalog("memory").setSchema("default").build();
        try (LocalQueryRunner runner = LocalQueryRunner.create(session)) {
            runner.installPlugin(new MemoryPlugin());
            runner.createCatalog("memory", "memory", Map.of());
            for (String statement : Files.readString(Path.of(arguments[0])).split("\n;\n")) {
                if (statement.isBlank()) {
                    continue;
                }
                MaterializedResult result;
                try {
                    result = runner.execute(statement);
                }
                catch (RuntimeException error) {
                    System.out.println("#failed\t" + error.getMessage().replace('\n', ' ') + "\t" + statement.replace('\n', ' '));
                    continue;
                }
                System.out.println("#columns\t" + String.join("\t", result.getColumnNames()));
                System.out.println("#types\t" + result.getTypes().stream().map(Object::toString).collect(Collectors.joining("\t")));
                for (MaterializedRow row : result.getMaterializedRows()) {
                    System.out.println(row.getFields().stream().map(String::valueOf).collect(Collectors.joining("\t")));
                }
            }
        }
        System.exit(0);
    }
}
