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
    ROUND = 8
    NEGATE = 9
    POSITIVE = 10
    KEEP = 11
    RECALL = 12
    PLUS = 13
    HIGHEST = 14
    BLOCK = 15
    PRODUCT = 16
    SQUARE = 17
    HYPOT = 18
    TOP = 19
    AGAIN = 20


#: Base of the quotients and remainders of products.
BASE = 1_000_000_000


def take(quantity: int) -> bytes:
    """Take a quantity of the row."""
    return _encoded(Operation.TAKE, quantity)


def part(from_ms: int, to_ms: int, length_ms: int) -> bytes:
    """Take the share of the value in [from_ms, to_ms) of its interval, over whose length it is spread evenly."""
    return _encoded(Operation.PART, from_ms, to_ms, length_ms)


def scale(numerator: int, denominator: int) -> bytes:
    """Multiply by a ratio, rounded down."""
    return _encoded(Operation.SCALE, numerator, denominator)


def round_to(unit: int, half_up: bool) -> bytes:
    """Round to a multiple of `unit`, half to even or (half_up) away from zero."""
    return _encoded(Operation.ROUND, unit, half_up)


def negate() -> bytes:
    """Take the value with the opposite sign."""
    return _encoded(Operation.NEGATE)


def positive() -> bytes:
    """Take 0 instead of a negative value."""
    return _encoded(Operation.POSITIVE)


def keep() -> bytes:
    """Remember the value."""
    return _encoded(Operation.KEEP)


def recall() -> bytes:
    """Take the remembered value."""
    return _encoded(Operation.RECALL)


def plus() -> bytes:
    """Add the remembered value."""
    return _encoded(Operation.PLUS)


def hypot() -> bytes:
    """Take the square root, rounded down, of the sum of the squares of the value and the remembered one."""
    return _encoded(Operation.HYPOT)


def group(family: int, instant_ms: int) -> bytes:
    """Add the change to the sum of a group, by family (below 256) and instant [epoch ms], and take that sum."""
    return _encoded(Operation.GROUP, family, instant_ms)


def again(family: int, instant_ms: int) -> bytes:
    """Take the sum of a group to which this row has added the change."""
    return _encoded(Operation.AGAIN, family, instant_ms)


def highest(family: int, instant_ms: int) -> bytes:
    """Raise the maximum of a group to the value, and take that maximum."""
    return _encoded(Operation.HIGHEST, family, instant_ms)


def add(slot: int) -> bytes:
    """Add the change to a slot."""
    return _encoded(Operation.ADD, slot)


def block(slot: int, low: int, width: int) -> bytes:
    """Add the change of the part of the value in [low, low + width) to a slot; a width of 0 has no upper bound."""
    return _encoded(Operation.BLOCK, slot, low, width)


def product(slot: int, factor: int) -> bytes:
    """Add the change of the value times a factor to two slots: quotient and remainder by BASE."""
    return _encoded(Operation.PRODUCT, slot, factor * 2 if factor >= 0 else -factor * 2 - 1)


def square(slot: int, low: int) -> bytes:
    """Add the change of the square of the value above `low` to two slots: quotient and remainder by BASE."""
    return _encoded(Operation.SQUARE, slot, low)


def top(slot: int, count: int) -> bytes:
    """Replace the value before by the value in a descending list of the highest values of groups, `count` slots."""
    return _encoded(Operation.TOP, slot, count)


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
