"""Costs of the stream that are provisional: settlement may change them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.state import State


def provisional_segments(tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return True for readings of a billing segment whose costs are provisional, shape (n,).

    Reading i belongs to `segments[index[i]]`, all of one tariff.
    """
    if tariff.depends_on_order or any(tariff.left_to_settlement()):
        return np.ones(len(index), dtype=bool)
    used = np.unique(index)
    return np.array([_is_provisional(tariff, segments[number]) for number in used.tolist()])[
        np.searchsorted(used, index)
    ]


def _is_provisional(tariff: Tariff, segment: Segment) -> bool:
    """Return True if another version continues the bill, a tax begins or ends, or contracted power is missing."""
    changes = {day for tax in tariff.taxes for day in (tax.valid_from, tax.valid_to) if day is not None}
    return (
        (segment.is_chained and tariff.continues)
        or any(segment.start < day < segment.end for day in changes)
        or (tariff.contracted is not None and not segment.power_u)
    )


def unlisted(
    tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64], start_ms: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return True for readings of days that the tariff's lists of days are not complete for, shape (n,) or (1,).

    Without a time zone of the tariff, the contract's is known by its offset at the start of the cycle only; where
    clocks have gone forward since, readings of one hour before such a day may be provisional too, or not be in the
    hour after its beginning where they have gone back.
    """
    if all(calendar.known_until is None for calendar in tariff.calendars):
        return np.zeros(1, dtype=bool)
    used = np.unique(index)
    first = [_unlisted_from_ms(tariff, segments[number]) for number in used.tolist()]
    return np.asarray(start_ms >= np.array(first)[np.searchsorted(used, index)])


def _unlisted_from_ms(tariff: Tariff, segment: Segment) -> int:
    zone = tariff.timezone or segment.utc_offset
    return min(at for calendar in tariff.calendars if (at := calendar.unlisted_from_ms(zone)) is not None)


def lowered(tariff: Tariff, before: State, after: State, is_first: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return True for corrections that may lower a demand interval: the stream cannot lower a peak.

    Netted by the hour, energy falls with other readings too, so every correction may. So may a reading of one of
    several meters of a supply: its exports lower what another one imported.
    """
    if not tariff.has_demand and tariff.contracted is None:
        return np.zeros(1, dtype=bool)
    if tariff.is_netted and tariff.export.netting == "hour":
        return ~is_first
    pairs = ((before.imported_ukwh, after.imported_ukwh), (before.reactive_uvarh, after.reactive_uvarh))
    return np.asarray(np.any([low > high for pair in pairs for low, high in zip(*pair, strict=True)], axis=0))


def estimated(before: State, after: State) -> NDArray[np.bool_]:
    """Return True for readings that are charged at an estimated price, as theirs is not known yet."""
    if not after.dynamic:
        return np.zeros(1, dtype=bool)
    return np.asarray(before.dynamic[-1] != after.dynamic[-1])
