"""Alerting: from the alerts stream to people, and their answers."""
