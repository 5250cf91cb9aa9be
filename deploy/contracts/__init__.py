"""The contract store: the newest contract of every meter, kept longer than any stream keeps its records."""
