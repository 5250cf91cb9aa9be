"""Alert rules. Pure Python, no Flink."""
