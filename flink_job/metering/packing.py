"""Packing of a quantity and its revision into one sortable integer.

`revision << 50 | micro-units` sorts by revision, then quantity, so "the highest revision wins" is a running maximum:
exact and independent of the order of arrival.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from flink_job.errors import MeteringError
from flink_job.metering.units import MICRO, QUANTITY_LIMIT

REVISION_BITS = 50
MAX_REVISION = (1 << 12) - 1
#: Represents NULL in the integer columns of vectorised functions: pandas would convert a column with NULLs to floats,
#: which lose the low digits of a packed quantity. Valid values are not negative.
ABSENT = -1


def pack(revision: int, quantity_u: int) -> int:
    """Pack a revision and a quantity (micro-units, 0 <= q < 2^50) into one integer."""
    return revision << REVISION_BITS | quantity_u


def unpack(packed: int) -> tuple[int, int]:
    """Return (revision, micro-units) of a packed quantity."""
    return packed >> REVISION_BITS, packed & (QUANTITY_LIMIT - 1)


class QuantityError(MeteringError, ValueError):
    """A quantity that is too large to be packed."""


def multiplied(packed: int, multiplier: Decimal) -> int:
    """Multiply a packed quantity by the contract's multiplier, rounded half to even; the revision is unchanged.

    Raises QuantityError if the product is too large to be packed.
    """
    if multiplier == 1:
        return packed
    revision, quantity = unpack(packed)
    product = int((quantity * multiplier).to_integral_value(ROUND_HALF_EVEN))
    if product >= QUANTITY_LIMIT:
        raise QuantityError(
            f"{quantity / MICRO:.6g} times the multiplier {multiplier:.6g} is more than {QUANTITY_LIMIT / MICRO:.4g}"
        )
    return pack(revision, product)
