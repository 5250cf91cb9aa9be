"""The state of a bill in plain Python: updates applied as the operator KeyedUpdates does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.updates import Operation


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
        before = after = shown = 0
        for operation in read:
            match operation:
                case Operation.TAKE:
                    before, after = quantities.get(next(read), (0, 0))
                case Operation.PART:
                    taken, start, end, length = quantities[next(read)], next(read), next(read), next(read)
                    before, after = (q * (length - start) // length - q * (length - end) // length for q in taken)
                case Operation.SCALE:
                    numerator, denominator = next(read), next(read)
                    before, after = before * numerator // denominator, after * numerator // denominator
                case Operation.GROUP:
                    key = next(read), next(read)
                    before, after = self.groups[key], self.groups[key] + after - before
                    self.groups[key] = after
                case Operation.ADD:
                    self.slots[next(read)] += after - before
                case Operation.MAX:
                    slot = next(read)
                    self.slots[slot] = max(self.slots[slot], after)
                case Operation.SHOW:
                    shown = max(shown, after)
        return shown

    def values(self, slots: int) -> NDArray[np.int64]:
        """The first slots, shape (slots, 1)."""
        return np.array([[self.slots[slot]] for slot in range(slots)], dtype=np.int64)
