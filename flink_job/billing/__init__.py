"""Exact billing of stored readings, without Flink: rate files, compare tariffs, and settle the costs of the stream."""
