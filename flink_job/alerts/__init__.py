"""Alert rules, and the event-time machines that turn samples into episodes. Pure Python, no Flink."""
