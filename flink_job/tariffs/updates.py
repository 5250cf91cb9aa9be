"""Updates of the state of a bill, as data: the operations that `KeyedUpdates` of flink_job/java applies."""

from __future__ import annotations

from enum import IntEnum


class Operation(IntEnum):
    """Operations on a current pair of values, after and before a row; KeyedUpdates.java describes them."""

    TAKE = 1
    PART = 2
    SCALE = 3
    GROUP = 4
    ADD = 5
    MAX = 6
    SHOW = 7


def take(quantity: int) -> bytes:
    """Take a quantity of the row."""
    return _encoded(Operation.TAKE, quantity)


def part(quantity: int, from_ms: int, to_ms: int, length_ms: int) -> bytes:
    """Take the share of a quantity in [from_ms, to_ms) of its interval, over whose length it is spread evenly."""
    return _encoded(Operation.PART, quantity, from_ms, to_ms, length_ms)


def scale(numerator: int, denominator: int) -> bytes:
    """Multiply by a ratio, rounded down."""
    return _encoded(Operation.SCALE, numerator, denominator)


def group(family: int, instant_ms: int) -> bytes:
    """Add the change to the sum of a group, by family (below 256) and instant [epoch ms], and take that sum."""
    return _encoded(Operation.GROUP, family, instant_ms)


def add(slot: int) -> bytes:
    """Add the change to a slot."""
    return _encoded(Operation.ADD, slot)


def maximum(slot: int) -> bytes:
    """Raise a slot to the value."""
    return _encoded(Operation.MAX, slot)


def show() -> bytes:
    """Raise the shown value of the row to the value."""
    return _encoded(Operation.SHOW)


def program(slots: int, *operations: bytes) -> bytes:
    """Return a program that emits `slots` slots after its operations."""
    return b"".join((_encoded(slots), *operations))


def _encoded(*values: int) -> bytes:
    """Encode non-negative integers in seven bits a byte, low bits first."""
    encoded = bytearray()
    for value in values:
        left = value
        while left > 127:
            encoded.append(left & 127 | 128)
            left >>= 7
        encoded.append(left)
    return bytes(encoded)
