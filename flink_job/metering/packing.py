"""A quantity and its revision as one sortable integer.

`revision << 50 | micro-units` sorts by revision, then quantity, so "the highest revision wins" is a running maximum:
exact, and the same in any order of arrival.
"""

from __future__ import annotations

from flink_job.metering.units import QUANTITY_LIMIT

REVISION_BITS = 50
MAX_REVISION = (1 << 12) - 1


def pack(revision: int, quantity_u: int) -> int:
    """Revision and quantity (micro-units, 0 <= q < 2^50) as one integer that sorts by revision, then quantity."""
    return revision << REVISION_BITS | quantity_u


def unpack(packed: int) -> tuple[int, int]:
    """(revision, micro-units) of a packed quantity."""
    return packed >> REVISION_BITS, packed & (QUANTITY_LIMIT - 1)
