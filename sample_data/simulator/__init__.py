"""Simulates readings of any number of meters from measured load profiles, with injected faults.

The same arguments and seed generate the same bytes.
"""
