"""A savepoint of the last release, and what makes and restores it: an upgrade must resume where it was."""
