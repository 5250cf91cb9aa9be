"""Readings and contracts: parsing, validation, units. Pure Python, no Flink."""
