"""Backups of a deployment and their restoration: job state, lake, books, uploads and tables (docs/recovery.md)."""
