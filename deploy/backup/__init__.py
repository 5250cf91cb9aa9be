"""Backups of a deployment and their restoration: job state, lake, registry, uploads and tables (docs/use/recovery.md)."""
