"""Time without readings: its length by bill, and its share of the charges that accrue with time, by local day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from flink_job.billing.adjustments import Key
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.history import Bill, BillingTerms, History, Intervals


def span_ms(bill: Bill, terms: BillingTerms) -> tuple[int, int]:
    """Return (beginning, end) of a bill [epoch ms]."""
    return local_midnight_ms(bill.start, terms.zone), local_midnight_ms(bill.end, terms.zone)


def unmeasured_ms(data: Intervals, bills: Mapping[Key, Bill], terms: BillingTerms) -> dict[Key, int]:
    """Return the time of each bill that no interval covers [ms]."""
    found = {}
    for key, bill in bills.items():
        begin, end = span_ms(bill, terms)
        end = min(end, terms.until_ms or 1 << 62)
        inside = (data.start_ms >= begin) & (data.start_ms < end)
        found[key] = max(0, end - begin - int(data.interval_ms[inside].sum()))
    return found


def with_silent_days(
    history: History, bills: Sequence[Bill], terms: BillingTerms, rate: Callable[[Intervals], History]
) -> History:
    """Return the history rated with an interval of no energy from the last reading of each local day to its end.

    Charges that accrue with time are then on the days on which they accrue, and not on the next reading. `bills` are
    those of whose days this may be done. The history is returned as it is if nothing is missing or a bill would change.
    """
    data = history.intervals
    starts, ends = _silences(data, bills, terms)
    if not len(starts):
        return history
    nothing = np.zeros(len(starts), dtype=np.int64)
    silent = Intervals(starts, ends - starts, nothing, nothing, nothing, nothing)
    names = Intervals.__dataclass_fields__
    both = Intervals(*(np.append(getattr(data, name), getattr(silent, name)) for name in names))
    filled = rate(both)
    return filled if filled.bills == history.bills else history


def _silences(
    data: Intervals, bills: Sequence[Bill], terms: BillingTerms
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (beginnings, ends) of the spans from the last reading of a local day to the end of the day [epoch ms]."""
    midnights = [
        tuple(local_midnight_ms(bill.start + timedelta(days=number + n), terms.zone) for n in (0, 1))
        for bill in bills
        for number in range((bill.end - bill.start).days)
    ]
    first, after = np.array(midnights, dtype=np.int64).reshape(-1, 2).T
    end = np.minimum(after, terms.until_ms or 1 << 62)
    last = np.searchsorted(data.start_ms, after) - 1
    covered = np.maximum.accumulate(data.end_ms)[np.maximum(last, 0)]
    begin = np.maximum(first, np.where(last >= 0, covered, 0))
    silent = begin < end
    return begin[silent], end[silent]
