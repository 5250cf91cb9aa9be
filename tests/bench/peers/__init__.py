"""Alternatives that a Python user may choose, with the same input. They run in an environment of their own."""
