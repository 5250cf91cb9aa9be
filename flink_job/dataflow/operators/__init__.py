"""Operators that SQL cannot express, wired into the plan: thin typed calls of the classes in `flink_job/java`."""
