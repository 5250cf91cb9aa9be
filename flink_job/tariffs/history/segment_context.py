"""A billing segment with its readings, tariff and prices: the input of the functions that compute bill lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.zones import Zone
from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.exact import Ints, round_div, times
from flink_job.tariffs.history.intervals import Intervals, with_close
from flink_job.tariffs.history.segments import BillingSegment, BillingTerms
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.state import Basis


@dataclass
class CarryOver:
    """Values carried over to the next billing cycle.

    `peaks_ukw`: (month, peak [1e-6 kW]) of each cycle. `bank_ukwh`: banked energy by TOU period [1e-6 kWh] of
    `bank_segment`. `credit`, `charged_in_year`: 1e-6 currency.
    """

    peaks_ukw: list[tuple[int, int]] = field(default_factory=list)
    bank_ukwh: dict[int, int] = field(default_factory=dict)
    bank_segment: BillingSegment | None = None
    credit: int = 0
    charged_in_year: int = 0


@dataclass(frozen=True)
class SegmentContext:
    """A billing segment with the n readings in it.

    The functions of bill lines return running amounts [1e-6 currency] of shape (n + 1,): after each reading, and at the
    close of the segment.
    """

    billing: BillingSegment
    tariff: Tariff
    terms: BillingTerms
    data: Intervals
    series: Mapping[str, PriceSeries]
    timeline: Callable[[Calendar, Zone], Timeline]

    @cached_property
    def basis(self) -> Basis:
        """Basis of shape (1,): one segment for all readings."""
        return Basis.of([self.billing.segment], np.zeros(1, dtype=np.int64))

    @cached_property
    def period(self) -> NDArray[np.int64]:
        """TOU period of each reading, by its start."""
        return self.timeline(self.tariff.calendar, self.terms.zone).periods_at(self.data.start_ms)

    @cached_property
    def at_ms(self) -> NDArray[np.int64]:
        """Instant up to which time is charged, after each reading and at the close [epoch ms]."""
        until = self.billing.charged_until_ms
        ends = np.maximum.accumulate(np.append(self.data.end_ms, until))
        return np.clip(ends, self.billing.segment.segment_start_ms, until)

    @property
    def month(self) -> int:
        """Month (1-12) in which the cycle begins."""
        return self.billing.segment.cycle_start.month

    def accrued(self, amount: int) -> Ints:
        """Return an amount of the segment [1e-6 currency], accrued in proportion to the time charged."""
        segment = self.billing.segment
        elapsed = self.at_ms - segment.segment_start_ms
        return round_div(times(elapsed, amount), segment.segment_end_ms - segment.segment_start_ms).astype(np.int64)

    def imported(self) -> Ints:
        """Return the running imported energy [1e-6 kWh]."""
        return with_close(np.cumsum(self.data.import_ukwh))

    @cached_property
    def interval_month(self) -> NDArray[np.int64]:
        """Month (0-11) in which each reading begins, in local time."""
        zone, segment = self.terms.zone, self.billing.segment
        day = datetime.fromtimestamp(segment.segment_start_ms / 1000, zone)
        starts, months = [segment.segment_start_ms], [day.month - 1]
        while True:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            begin = int(datetime(day.year, day.month, 1, tzinfo=zone).astimezone(UTC).timestamp() * 1000)
            if begin >= segment.segment_end_ms:
                break
            starts.append(begin)
            months.append(day.month - 1)
        return np.asarray(np.array(months)[np.searchsorted(starts, self.data.start_ms, "right") - 1])
