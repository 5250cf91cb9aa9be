"""The Managed Flink application: its package, settings, state inventory and infrastructure."""
