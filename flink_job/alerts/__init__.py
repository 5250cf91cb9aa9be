"""Alert rules, and the event-time state machines that turn samples into alerts. Pure Python, without Flink."""
