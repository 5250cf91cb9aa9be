"""Backup and restore of a deployment: job state, lake, registry, uploads and tables (docs/use/recovery.md)."""
