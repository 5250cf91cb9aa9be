"""Operators that SQL cannot express: a typed function for each; the classes are in `flink_job/java`."""
