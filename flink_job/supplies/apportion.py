"""Exact division of amounts in proportion to weights: the parts add up to the amount, by largest remainder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.int64]

#: Sums of weights are below this, so that remainders fit into 64 bits; larger weights lose their lowest bits.
_MAX_WEIGHT = 1 << 56


def apportion(amounts: Array, weights: Array) -> Array:
    """Return the parts of each amount, of shape (k, n); `amounts` has shape (n,), `weights` (k, n), not negative.

    Each part is amount x weight / sum of weights, rounded down, and what is left goes by one unit each to the parts
    with the largest remainders, of equal ones to the first. Without any weight the first part is the whole amount.
    """
    parts = np.zeros(weights.shape, dtype=np.int64)
    columns = np.flatnonzero(amounts)
    if not len(columns):
        return parts
    amount, sign, weight = np.abs(amounts[columns]), np.sign(amounts[columns]), _scaled(weights[:, columns])
    whole = weight.sum(axis=0)
    weight[0, whole == 0] = 1
    whole = np.maximum(whole, 1)
    quotient, remainder = _divided(amount, weight, whole)
    left = amount - quotient.sum(axis=0)
    if left.any():
        order = np.argsort(-remainder, axis=0, kind="stable")
        extra = np.arange(len(weight))[:, None] < left
        np.put_along_axis(quotient, order, np.take_along_axis(quotient, order, axis=0) + extra, axis=0)
    parts[:, columns] = quotient * sign
    return parts


def apportion_one(amount: int, weights: Sequence[int] | Array) -> Array:
    """Return the parts of one amount, of shape (k,)."""
    weight = np.asarray(weights, dtype=np.int64)
    return apportion(np.array([amount], dtype=np.int64), weight[:, None])[:, 0]


def _divided(amount: Array, weight: Array, whole: Array) -> tuple[Array, Array]:
    """Return (quotient, remainder) of amount x weight / whole, where the product may exceed 64 bits.

    A quotient in floating point is wrong by a few units at most. Its remainder is right modulo 2**64 and smaller than
    that, so it is exact and corrects the quotient.
    """
    quotient = np.floor(amount * (weight / whole)).astype(np.int64)
    remainder = amount * weight - quotient * whole
    while ((remainder < 0) | (remainder >= whole)).any():
        steps = np.floor_divide(remainder, whole)
        quotient, remainder = quotient + steps, remainder - steps * whole
    return quotient, remainder


def _scaled(weights: Array) -> Array:
    """Return a copy of the weights, without their lowest bits if their sum could exceed 64 bits."""
    highest = int(weights.max(initial=0)) * len(weights)
    return weights >> max(0, (highest // _MAX_WEIGHT).bit_length())
