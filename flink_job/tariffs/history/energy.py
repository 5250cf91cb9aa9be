"""The energy charge: tiers by each of the three rules, monthly adjustments and dynamic prices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flink_job.metering.local_days import local_days
from flink_job.tariffs.charges import TO_MICRO, energy_amount, tier_blocks, tier_bounds
from flink_job.tariffs.exact import Ints, running_round_div, times, total
from flink_job.tariffs.history.intervals import previous_by, running_by, with_close
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import PER_KW_UNITS, Dynamic
from flink_job.tariffs.prices import PriceError, dynamic_price
from flink_job.tariffs.state import State


def energy_line(context: SegmentContext, billed_ukw: Ints) -> Ints:
    """Return the running energy charge. `billed_ukw` [1e-6 kW], shape (n + 1,): billed demand, for tiers per kW."""
    tariff = context.tariff
    if not tariff.has_tiers:
        prices = np.array([tiers[0].price_e9 for tiers in tariff.energy], dtype=np.int64)
        return _sum(times(context.data.import_ukwh, prices[context.period] + _extra_price(context)))
    if tariff.tier_rule == "chronological":
        energy = context.data.import_ukwh
        return _sum(total([filled(context, energy, billed_ukw, "price_e9"), times(energy, _extra_price(context))]))
    if tariff.tiers_each_day:
        amount = energy_amount(
            tariff, context.basis, State(_by_period(context), (), (), day_tier_ukwh=day_tiers(context))
        )
    else:
        amount = tiered_amount(context, _by_period(context), billed_ukw)
    extra = _extra_price(context)
    return amount + _sum(times(context.data.import_ukwh, extra)) if extra.any() else amount


def tiered_amount(context: SegmentContext, energies: tuple[Ints, ...], billed_ukw: Ints) -> Ints:
    """Return the charge of running energies by TOU period, for tier rules that do not depend on order."""
    return energy_amount(context.tariff, context.basis, State(energies, (), ()), billed_ukw)


def day_tiers(context: SegmentContext) -> tuple[Ints, ...]:
    """Return the running sums over days of the energy of each TOU period in each of its tiers, shape (n + 1,)."""
    data, period = context.data, context.period
    key = local_days(context.terms.zone.key).days_at(data.start_ms)[0] + period
    of_day = running_by(key, data.import_ukwh)
    before = previous_by(key, of_day)
    found = []
    for p, tiers in enumerate(context.tariff.energy):
        bounds = [None if tier.bound_u is None else np.array(tier.bound_u) for tier in tiers]
        for high, low in zip(tier_blocks(bounds, of_day), tier_blocks(bounds, before), strict=True):
            found.append(with_close(np.cumsum(np.where(period == p, high - low, 0))))
    return tuple(found)


def filled(context: SegmentContext, energy: Ints, billed_ukw: Ints, price: str) -> Ints:
    """Return the cost of each reading [1e-15 currency], with tiers filled in order of time over their periods."""
    costs = np.zeros(len(energy), dtype=np.int64)
    for group, tier, block in filled_tiers(context, energy, billed_ukw):
        prices = np.zeros(len(context.tariff.energy), dtype=np.int64)
        prices[group] = [getattr(context.tariff.energy[p][tier], price) for p in group]
        costs = total([costs, times(block, prices[context.period])])
    return costs


def filled_tiers(context: SegmentContext, energy: Ints, billed_ukw: Ints) -> Iterator[tuple[list[int], int, Ints]]:
    """Yield (periods, tier, energy of each reading in it) of each group of periods that fill tiers in order of time."""
    final = billed_ukw[-1:] if context.tariff.tier_unit in PER_KW_UNITS else None
    for number, group in enumerate(context.tariff.tier_groups()):
        inside = np.where(np.isin(context.period, group), energy, 0)
        end = np.cumsum(inside)
        tiers = context.tariff.energy[group[0]]
        bounds = tier_bounds(context.tariff, context.basis.of_group(number), tiers, final)
        pairs = zip(tier_blocks(bounds, end), tier_blocks(bounds, end - inside), strict=True)
        for tier, (high, low) in enumerate(pairs):
            yield group, tier, high - low


def _by_period(context: SegmentContext) -> tuple[Ints, ...]:
    return tuple(
        with_close(np.cumsum(np.where(context.period == p, context.data.import_ukwh, 0)))
        for p in range(len(context.tariff.energy))
    )


def _extra_price(context: SegmentContext) -> Ints:
    """Return the monthly adjustment plus the dynamic price of each reading [1e-9 currency per kWh]."""
    tariff, extra = context.tariff, np.zeros(len(context.data.start_ms), dtype=np.int64)
    if tariff.adjustment_e9:
        extra = extra + np.array(tariff.adjustment_e9, dtype=np.int64)[context.interval_month]
    return extra if tariff.dynamic is None else extra + dynamic_prices(context, tariff.dynamic)


def dynamic_prices(context: SegmentContext, rule: Dynamic) -> Ints:
    """Return the dynamic price of each reading [1e-9 currency per kWh]. Raises PriceError."""
    series, data = context.series[rule.series], context.data
    try:
        return dynamic_price(rule, series, data.start_ms, data.interval_ms)
    except PriceError:  # the prices of another version's series need not be in this one
        own, prices = context.is_own, np.zeros(len(data.start_ms), dtype=np.int64)
        prices[own] = dynamic_price(rule, series, data.start_ms[own], data.interval_ms[own])
        return prices


def _sum(terms: Ints) -> Ints:
    """Return the running totals of costs [1e-15 currency] in 1e-6 currency, and the value at the close."""
    return running_round_div(np.append(terms, 0), TO_MICRO)
