"""HTTP API of alerts and queries."""
