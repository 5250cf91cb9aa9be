"""A quantity and its revision as one sortable integer.

`revision << 50 | micro-units` sorts by revision, then quantity, so "the highest revision wins" is a running maximum:
exact, and the same in any order of arrival.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from flink_job.metering.units import MICRO, QUANTITY_LIMIT

REVISION_BITS = 50
MAX_REVISION = (1 << 12) - 1
#: Stands for NULL in integer columns that go into a vectorised function: pandas would turn a column with NULLs into
#: floats, which lose the low digits of a packed quantity. Every real value is zero or more.
ABSENT = -1


def pack(revision: int, quantity_u: int) -> int:
    """Revision and quantity (micro-units, 0 <= q < 2^50) as one integer that sorts by revision, then quantity."""
    return revision << REVISION_BITS | quantity_u


def unpack(packed: int) -> tuple[int, int]:
    """(revision, micro-units) of a packed quantity."""
    return packed >> REVISION_BITS, packed & (QUANTITY_LIMIT - 1)


class QuantityError(ValueError):
    """A quantity that cannot be carried exactly."""


def multiplied(packed: int, multiplier: Decimal) -> int:
    """A packed quantity times the contract's multiplier, half to even; the revision stays.

    Raises QuantityError where the product is too large to be packed.
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
