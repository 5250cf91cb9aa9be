"""Exact integer arithmetic over numpy arrays: 64 bits where they are enough, Python integers where they are not.

Prices are integers of 1e-9 currency per kWh, energies integers of 1e-6 kWh, so a product is an integer of 1e-15
currency. Only `round_div` rounds, half to even.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
"""Integers, of dtype int64 or object (Python integers)."""

#: Prices are read with at most this many decimals.
PRICE_SCALE = 1_000_000_000
#: ... and tax rates with at most this many.
RATE_SCALE = 1_000_000_000_000
#: Products below this never overflow 64 bits, nor does their double.
SAFE = 1 << 61


class PrecisionError(ValueError):
    """A number with more decimals than are kept."""


def scaled(number: Decimal, scale: int = PRICE_SCALE) -> int:
    """`number` x `scale` as an integer. Raises PrecisionError where that is not exact."""
    product = number * scale
    if product != product.to_integral_value():
        raise PrecisionError(f"{number} has more than {len(str(scale)) - 1} decimals")
    return int(product)


def peak_magnitude(values: Ints) -> int:
    """Largest absolute value, 0 for an empty array."""
    return 0 if values.size == 0 else max(abs(int(values.max())), abs(int(values.min())))


def times(values: Ints, factor: int | Ints) -> Ints:
    """values x factor, widened to Python integers when 64 bits could overflow."""
    bound = peak_magnitude(factor) if isinstance(factor, np.ndarray) else abs(factor)
    if peak_magnitude(values) * bound < SAFE:
        return np.asarray(values * factor)
    wide_factor = factor.astype(object) if isinstance(factor, np.ndarray) else factor
    return np.asarray(values.astype(object) * wide_factor)


def total(terms: Sequence[Ints]) -> Ints:
    """Sum of arrays of one shape, widened when 64 bits could overflow."""
    bound = sum(peak_magnitude(term) for term in terms)
    summed = terms[0] if bound < SAFE else terms[0].astype(object)
    for term in terms[1:]:
        summed = np.asarray(summed + term)
    return summed


def round_div(numerator: Ints, denominator: int | Ints) -> Ints:
    """numerator / denominator (> 0) rounded half to even. Shapes broadcast."""
    wide = denominator if isinstance(denominator, np.ndarray) else np.asarray(denominator, dtype=object)
    if peak_magnitude(wide) >= SAFE:
        numerator = numerator.astype(object)
    quotient = numerator // denominator
    twice = (numerator - quotient * denominator) * 2
    up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    return np.asarray(quotient + up)


def running_round_div(terms: Ints, denominator: int) -> Ints:
    """Running totals of `terms`, each divided by `denominator` and rounded half to even.

    The totals themselves may exceed 64 bits: quotients and remainders are summed apart.
    """
    quotients = terms // denominator
    remainders = np.cumsum((terms - quotients * denominator).astype(np.int64))
    whole = np.cumsum(quotients)
    carried, rest = np.divmod(remainders, denominator)
    whole = whole + carried
    up = (2 * rest > denominator) | ((2 * rest == denominator) & (whole % 2 == 1))
    return np.asarray((whole + up).astype(np.int64))
