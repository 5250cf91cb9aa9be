"""Chaos tests (`make chaos`): faults injected into a real cluster, and invariants checked afterwards."""
