"""A savepoint of the last release, and the code that creates and restores it: an upgrade must resume from it."""
