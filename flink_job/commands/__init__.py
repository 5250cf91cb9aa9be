"""The command line: what each command reads, calls and shows."""
