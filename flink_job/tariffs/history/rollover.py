"""Roll-over of banked energy to the TOU periods of the next cycle, which differ after a change of season."""

from __future__ import annotations

from datetime import date, timedelta

from flink_job.tariffs.calendar import Bands
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.model import Tariff

#: Minutes of a working day that PySAM compares: 00:00, 06:00, 12:00 and 18:00.
_SAMPLES = (0, 360, 720, 1080)
_SATURDAY = 5


def rolled_over(context: SegmentContext, carry_over: CarryOver) -> dict[int, int]:
    """Return the banked energy [1e-6 kWh] by TOU period of this segment.

    The bank of a period goes to the period at the same time of a working day, compared at 00:00, 06:00, 12:00 and
    18:00; of several, to the one that the tariff lists first (PySAM's rule). A period that is in force at none of these
    times keeps its bank if it still exists (PySAM loses it); otherwise the bank goes to the period with most of its
    working-day minutes.
    """
    if carry_over.bank_segment is None or not carry_over.bank_ukwh:
        return {}
    old, new = carry_over.bank_segment.tariff, context.tariff
    before, after = _working_day(old, carry_over.bank_segment.start), _working_day(new, context.billing.start)
    banked: dict[int, int] = {}
    for period, energy in carry_over.bank_ukwh.items():
        target = _target(old.periods[period], period, before, after, new, context.billing.start)
        banked[target] = banked.get(target, 0) + energy
    return banked


def _target(name: str, period: int, before: Bands, after: Bands, new: Tariff, day: date) -> int:
    targets = [_period_at(after, minute) for minute in _SAMPLES if _period_at(before, minute) == period]
    if targets:
        return min(targets, key=new.listed.index)
    exists = {new.periods[p] for p in new.calendar.periods_of_season(day)}
    if name in exists:
        return new.periods.index(name)
    minutes = [_period_at(after, minute) for minute in range(1440) if _period_at(before, minute) == period]
    return max(set(minutes), key=minutes.count) if minutes else _period_at(after, 0)


def _working_day(tariff: Tariff, day: date) -> Bands:
    """Return the bands of the first working day of a cycle."""
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return tariff.calendar.weekday_bands(day)


def _period_at(bands: Bands, minute: int) -> int:
    return [period for start, period in bands if start <= minute][-1]
