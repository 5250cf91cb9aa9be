"""Queries over the outputs: deduplicated tables and merged views, in SQL for both Athena and DuckDB."""
