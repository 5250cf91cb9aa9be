"""The container that publishes uploaded files."""
