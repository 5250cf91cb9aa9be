"""The state of a bill in plain Python: updates applied as the operator KeyedUpdates does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.updates import BASE, Operation


def numbers(encoded: bytes) -> Iterator[int]:
    """Decode seven bits a byte, low bits first."""
    value = shift = 0
    for byte in encoded:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


class Bill:
    """The slots of a bill, updated as KeyedUpdates.java does."""

    def __init__(self) -> None:
        self.slots: dict[int, int] = defaultdict(int)
        self.groups: dict[tuple[int, int], int] = defaultdict(int)

    def apply(self, updates: bytes, quantities: Mapping[int, tuple[int, int]]) -> int:
        """Apply updates; `quantities` are (before, after) by number. Returns the shown value."""
        read = numbers(updates)
        next(read)
        pair, kept, shown = (0, 0), (0, 0), 0
        for operation in read:
            match operation:
                case Operation.TAKE:
                    pair = quantities.get(next(read), (0, 0))
                case Operation.PART:
                    pair = _both(pair, _share, next(read), next(read), next(read))
                case Operation.SCALE:
                    pair = _both(pair, _scaled, next(read), next(read))
                case Operation.ROUND:
                    pair = _both(pair, _rounded, next(read), next(read))
                case Operation.NEGATE:
                    pair = _both(pair, lambda q: -q)
                case Operation.POSITIVE:
                    pair = _both(pair, lambda q: max(q, 0))
                case Operation.KEEP:
                    kept = pair
                case Operation.RECALL:
                    pair = kept
                case Operation.PLUS:
                    pair = pair[0] + kept[0], pair[1] + kept[1]
                case Operation.HYPOT:
                    low, high = (isqrt(value**2 + other**2) for value, other in zip(pair, kept, strict=True))
                    pair = low, high
                case Operation.GROUP:
                    key = next(read), next(read)
                    pair = self.groups[key], self.groups[key] + pair[1] - pair[0]
                    self.groups[key] = pair[1]
                case Operation.AGAIN:
                    total = self.groups[next(read), next(read)]
                    pair = total - (pair[1] - pair[0]), total
                case Operation.HIGHEST:
                    key = next(read), next(read)
                    pair = self.groups[key], max(self.groups[key], pair[1])
                    self.groups[key] = pair[1]
                case Operation.MAX:
                    slot = next(read)
                    self.slots[slot] = max(self.slots[slot], pair[1])
                case Operation.SHOW:
                    shown = max(shown, pair[1])
                case _:
                    self._add(operation, read, pair)
        return shown

    def _add(self, operation: int, read: Iterator[int], pair: tuple[int, int]) -> None:
        """Apply the operations that add a function of the value to slots."""
        slot = next(read)
        match operation:
            case Operation.ADD:
                self.slots[slot] += pair[1] - pair[0]
            case Operation.BLOCK:
                low, width = next(read), next(read)
                low_, high = _both(pair, lambda q: min(max(q - low, 0), width or q))
                self.slots[slot] += high - low_
            case Operation.PRODUCT:
                encoded = next(read)
                factor = (encoded >> 1) ^ -(encoded & 1)
                self._add_wide(slot, _both(pair, lambda q: q * factor))
            case Operation.TOP:
                self._raise_top(range(slot, slot + next(read)), pair)
            case Operation.SQUARE:
                above = next(read)
                self._add_wide(slot, _both(pair, lambda q: max(q - above, 0) ** 2))

    def _raise_top(self, slots: range, pair: tuple[int, int]) -> None:
        """Replace the value of a group in the list of the highest ones, or else the lowest of the list."""
        listed = [self.slots[slot] for slot in slots]
        at = listed.index(pair[0]) if pair[0] in listed else len(listed) - 1
        listed[at] = max(listed[at], pair[1])
        for slot, value in zip(slots, sorted(listed, reverse=True), strict=True):
            self.slots[slot] = value

    def _add_wide(self, slot: int, pair: tuple[int, int]) -> None:
        self.slots[slot] += pair[1] // BASE - pair[0] // BASE
        self.slots[slot + 1] += pair[1] % BASE - pair[0] % BASE

    def values(self, slots: int) -> NDArray[np.int64]:
        """The first slots, shape (slots, 1)."""
        return np.array([[self.slots[slot]] for slot in range(slots)], dtype=np.int64)


def _both(pair: tuple[int, int], function: Callable[..., int], *arguments: int) -> tuple[int, int]:
    return function(pair[0], *arguments), function(pair[1], *arguments)


def _share(value: int, start: int, end: int, length: int) -> int:
    return value * (length - start) // length - value * (length - end) // length


def _scaled(value: int, numerator: int, denominator: int) -> int:
    return value * numerator // denominator


def _rounded(value: int, unit: int, half_up: int) -> int:
    whole, rest = divmod(value, unit)
    return (whole + (2 * rest > unit or (2 * rest == unit and (value > 0 if half_up else whole % 2 == 1)))) * unit
