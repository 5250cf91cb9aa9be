"""Queries on demand: a catalogue of questions over the lake, asked in Athena, for the caller's sites only."""
