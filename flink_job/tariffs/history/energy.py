"""The energy line: tiers by each of the three rules, monthly adjustments, dynamic prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from flink_job.tariffs.charges import TO_MICRO, energy_amount, energy_shared, tier_blocks, tier_bounds
from flink_job.tariffs.exact import Ints, round_div, running_round_div, times, total
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.scene import Scene
from flink_job.tariffs.model import PER_KW_UNITS, Dynamic
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.state import Basis, State


def energy_line(scene: Scene, billed_ukw: Ints) -> Ints:
    """What imported energy costs so far. `billed_ukw` [1e-6 kW], shape (n + 1,), for tiers per kW."""
    tariff = scene.tariff
    if not tariff.has_tiers:
        prices = np.array([tiers[0].price_e9 for tiers in tariff.energy], dtype=np.int64)
        return _sum(times(scene.data.import_ukwh, prices[scene.period] + _extra_price(scene)))
    if tariff.tier_rule == "chronological":
        energy = scene.data.import_ukwh
        return _sum(total([filled(scene, energy, billed_ukw, "price_e9"), times(energy, _extra_price(scene))]))
    amount = tiered_amount(scene, _by_period(scene), billed_ukw)
    extra = _extra_price(scene)
    return amount + _sum(times(scene.data.import_ukwh, extra)) if extra.any() else amount


def tiered_amount(scene: Scene, energies: tuple[Ints, ...], billed_ukw: Ints) -> Ints:
    """Energies so far by period, at prices of tiers that do not depend on order."""
    tariff, groups = scene.tariff, scene.tariff.tier_groups()
    state = State(energies, (), ())
    if tariff.tier_rule == "per_period" or len(groups) == 1 or not tariff.has_tiers:
        return energy_amount(tariff, scene.basis, state, billed_ukw)
    shared = [energy_shared(tariff, group_basis(scene, group), state, group, billed_ukw) for group in groups]
    return np.asarray(total(shared))


def filled(scene: Scene, energy: Ints, billed_ukw: Ints, price: str) -> Ints:
    """Tiers fill in order of time, over all periods that share them: what each reading costs [1e-15 currency]."""
    costs = np.zeros(len(energy), dtype=np.int64)
    final = billed_ukw[-1:] if scene.tariff.tier_unit in PER_KW_UNITS else None
    for group in scene.tariff.tier_groups():
        inside = np.isin(scene.period, group)
        end = np.cumsum(np.where(inside, energy, 0))
        tiers = scene.tariff.energy[group[0]]
        bounds = tier_bounds(scene.tariff, group_basis(scene, group), tiers, final)
        for tier, (high, low) in enumerate(
            zip(tier_blocks(bounds, end), tier_blocks(bounds, end - np.where(inside, energy, 0)), strict=True)
        ):
            prices = np.zeros(len(scene.tariff.energy), dtype=np.int64)
            prices[group] = [getattr(scene.tariff.energy[p][tier], price) for p in group]
            costs = total([costs, times(high - low, prices[scene.period])])
    return costs


def group_basis(scene: Scene, group: list[int]) -> Basis:
    """The part of the cycle in which periods that share tiers exist: days of their seasons."""
    calendar = scene.tariff.calendar
    if len(scene.tariff.tier_groups()) == 1 or scene.tariff.tier_rule == "per_period":
        return scene.basis
    days = (scene.span.start + timedelta(days=n) for n in range(scene.span.segment.segment_days))
    count = sum(not calendar.periods_of_season(day).isdisjoint(group) for day in days)
    return replace(scene.basis, segment_days=np.array([count], dtype=np.int64))


def _by_period(scene: Scene) -> tuple[Ints, ...]:
    return tuple(
        with_close(np.cumsum(np.where(scene.period == p, scene.data.import_ukwh, 0)))
        for p in range(len(scene.tariff.energy))
    )


def _extra_price(scene: Scene) -> Ints:
    """Adjustment of the month and dynamic price of each reading [1e-9 currency per kWh]."""
    tariff, extra = scene.tariff, np.zeros(len(scene.data.start_ms), dtype=np.int64)
    if tariff.adjustment_e9:
        extra = extra + np.array(tariff.adjustment_e9, dtype=np.int64)[scene.interval_month]
    if tariff.dynamic is not None:
        series = scene.series[tariff.dynamic.series]
        extra = extra + dynamic_price(tariff.dynamic, series, scene.data.start_ms, scene.data.interval_ms)
    return extra


def dynamic_price(rule: Dynamic, series: PriceSeries, start_ms: Ints, interval_ms: Ints) -> Ints:
    """Price of each interval [1e-9 currency per kWh]: the series' mean x multiplier + adder, within floor and cap."""
    prices = series.mean_price(start_ms, interval_ms)
    prices = round_div(times(prices, rule.multiplier_e9), TO_MICRO) + rule.adder_e9
    if rule.floor_e9 is not None:
        prices = np.maximum(prices, rule.floor_e9)
    if rule.cap_e9 is not None:
        prices = np.minimum(prices, rule.cap_e9)
    return np.asarray(prices.astype(np.int64))


def _sum(terms: Ints) -> Ints:
    """Running totals of costs [1e-15 currency] in 1e-6, and the last once more."""
    return running_round_div(np.append(terms, 0), TO_MICRO)
