"""Canary: a synthetic meter that sends a reading every quarter of an hour and checks its cost in the lake."""
