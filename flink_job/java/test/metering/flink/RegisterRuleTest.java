package metering.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The sequences that the rule of the batch layer passes, too. */
class RegisterRuleTest {
  static final long LIMIT = 1L << 50;
  private static final long QUARTER_MS = 900_000;

  @Test
  void theEnergiesOfEachSequenceAreThoseOfTheBatchLayer() throws IOException {
    List<String> lines = Files.readAllLines(Path.of("tests/unit/metering/registers.txt"));
    lines.removeIf(line -> line.isEmpty() || line.startsWith("#"));
    assertTrue(lines.size() > 10);
    for (String line : lines) {
      String[] parts = line.split(";");
      RegisterRule rule = new RegisterRule(LIMIT);
      for (String read : parts[2].trim().split(" ")) {
        String[] pair = read.split(":");
        long start = Long.parseLong(pair[0]) * QUARTER_MS;
        rule.insert(rule.count, start, micro(pair[1]), micro(parts[1]), QUARTER_MS / 1000);
      }
      rule.evaluate(micro(parts[0]));
      long[] expected =
          Arrays.stream(parts[3].trim().split(" ")).mapToLong(RegisterRuleTest::micro).toArray();
      assertArrayEquals(expected, Arrays.copyOf(rule.energy, rule.count), line);
    }
  }

  private static long micro(String number) {
    return new BigDecimal(number.trim()).movePointRight(6).longValueExact();
  }
}
