"""Faults injected on purpose into a real cluster, and what must hold all the same: `make chaos`."""
