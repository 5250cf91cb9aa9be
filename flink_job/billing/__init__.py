"""Exact billing of stored readings, without Flink: rate files, compare tariffs, settle what the stream priced."""
