"""Readings and contracts: parsing, validation and units, in pure Python without Flink."""
