"""Exact integer arithmetic with numpy arrays: 64-bit integers, widened to Python integers before they overflow.

Prices are integers of 1e-9 currency per kWh, energies of 1e-6 kWh, so their product is an integer of 1e-15 currency.
Only `round_div` rounds, half to even.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError

Ints = NDArray[Any]
"""Integer array of dtype int64 or object (Python integers)."""

#: Scale of prices: at most 9 decimals.
PRICE_SCALE = 1_000_000_000
#: Scale of tax rates: at most 12 decimals.
RATE_SCALE = 1_000_000_000_000
#: Integers below this do not overflow 64 bits, even when doubled.
SAFE = 1 << 61


class PrecisionError(MeteringError, ValueError):
    """A number with more decimals than are supported."""


def scaled(number: Decimal, scale: int = PRICE_SCALE) -> int:
    """Return `number` x `scale` as an integer. Raises PrecisionError if it is not exact."""
    product = number * scale
    if product != product.to_integral_value():
        raise PrecisionError(f"{number} has more than {len(str(scale)) - 1} decimals")
    return int(product)


def peak_magnitude(values: Ints) -> int:
    """Return the largest absolute value, 0 for an empty array."""
    return 0 if values.size == 0 else max(abs(int(values.max())), abs(int(values.min())))


def times(values: Ints, factor: int | Ints) -> Ints:
    """Return values x factor, widened to Python integers if 64 bits could overflow."""
    bound = peak_magnitude(factor) if isinstance(factor, np.ndarray) else abs(factor)
    if peak_magnitude(values) * bound < SAFE:
        return np.asarray(values * factor)
    wide_factor = factor.astype(object) if isinstance(factor, np.ndarray) else factor
    return np.asarray(values.astype(object) * wide_factor)


def total(terms: Sequence[Ints]) -> Ints:
    """Return the sum of arrays of equal shape, widened if 64 bits could overflow."""
    bound = sum(peak_magnitude(term) for term in terms)
    summed = terms[0] if bound < SAFE else terms[0].astype(object)
    for term in terms[1:]:
        summed = np.asarray(summed + term)
    return summed


def round_div(numerator: Ints, denominator: int | Ints) -> Ints:
    """Return numerator / denominator (> 0), rounded half to even. Shapes are broadcast."""
    wide = denominator if isinstance(denominator, np.ndarray) else np.asarray(denominator, dtype=object)
    if peak_magnitude(wide) >= SAFE:
        numerator = numerator.astype(object)
    quotient = numerator // denominator
    twice = (numerator - quotient * denominator) * 2
    up = (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1))
    return np.asarray(quotient + up)


def round_to(values: Ints, unit: int, half_up: bool) -> Ints:
    """Round values to a multiple of `unit`, half to even or (half_up) away from zero."""
    if unit == 1:
        return values
    if half_up:
        return np.asarray(np.sign(values) * ((np.abs(values) * 2 + unit) // (2 * unit)) * unit)
    return np.asarray(round_div(values, unit) * unit)


def running_round_div(terms: Ints, denominator: int) -> Ints:
    """Return the running totals of `terms`, each divided by `denominator` and rounded half to even.

    The totals may exceed 64 bits, so quotients and remainders are summed separately.
    """
    quotients = terms // denominator
    remainders = np.cumsum((terms - quotients * denominator).astype(np.int64))
    carried, rest = np.divmod(remainders, denominator)
    totals = np.cumsum(quotients) + carried
    up = (2 * rest > denominator) | ((2 * rest == denominator) & (totals % 2 == 1))
    return np.asarray((totals + up).astype(np.int64))
