"""Splits iterables into lists of limited length, for APIs that limit the size of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of `size` items; the last may be shorter. `itertools.batched` requires Python 3.12."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
