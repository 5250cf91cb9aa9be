"""Imports: turns exports of portals and loggers into readings, by profiles or by a map of the user."""
