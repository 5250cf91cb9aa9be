"""Tariffs: model, calendar, billing cycles, rating. Pure Python and numpy, no Flink."""
