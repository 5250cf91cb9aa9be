"""Banked energy into the periods of the next cycle, which may be other ones when the season changes."""

from __future__ import annotations

from datetime import date, timedelta

from flink_job.tariffs.calendar import Bands
from flink_job.tariffs.history.scene import Carry, Scene
from flink_job.tariffs.model import Tariff

#: Minutes of a working day that PySAM compares: 0, 6, 12 and 18 o'clock.
_SAMPLES = (0, 360, 720, 1080)
_SATURDAY = 5


def rolled_over(scene: Scene, carry: Carry) -> dict[int, int]:
    """Banked energy [1e-6 kWh] by period of this segment.

    A period's bank goes to the period in force at the same hour of a working day, looking at 0, 6, 12 and 18 o'clock;
    of several, to the one that the tariff lists first (PySAM's rule). A period in force at none of them (PySAM loses
    its bank) keeps it where it still exists; else the bank goes to the period that holds most of its working-day
    minutes.
    """
    if carry.bank_span is None or not carry.bank_ukwh:
        return {}
    old, new = carry.bank_span.tariff, scene.tariff
    before, after = _working_day(old, carry.bank_span.start), _working_day(new, scene.span.start)
    banked: dict[int, int] = {}
    for period, energy in carry.bank_ukwh.items():
        target = _target(old.periods[period], period, before, after, new, scene.span.start)
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
    """Bands of the first working day on or after the first of a cycle."""
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return tariff.calendar.weekday_bands(day)


def _period_at(bands: Bands, minute: int) -> int:
    return [period for start, period in bands if start <= minute][-1]
