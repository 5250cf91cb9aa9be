"""The container image that publishes uploaded files."""
