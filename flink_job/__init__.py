"""Cost of every electricity reading, in event time, on Apache Flink."""
