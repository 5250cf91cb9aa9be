"""Readings of any scale from measured load profiles, with faults on purpose. Seeded: the same call, the same bytes."""
