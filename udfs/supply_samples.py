"""Samples of supply points for alert rules, from the costed readings of their mains and parts."""

from __future__ import annotations

from typing import Any

from flink_job.alerts.worker_prefilters import NOTHING, Prefilters, columns_of
from flink_job.tariffs.plan import Counting
from flink_job.tariffs.supply_places import SEPARATOR, counting_of
from udfs.columns import BOOLEAN, INT, STRING

#: Result columns, those of ALERT_COLUMNS of the supply point of a reading.
SUPPLY_COLUMNS = dict(supply_batch=STRING, supply_certain=BOOLEAN, supply_active=INT)


def supply_samples(
    prefilters: Prefilters, places: Any, samples: Any, currencies: Any, signals: dict[str, list[float]]
) -> list[tuple[Any, ...]]:
    """Return the values of SUPPLY_COLUMNS by row: the samples that the pre-filters of supply points forward.

    `places` are (meter, site path, encoded place in a supply or None), `samples` (start and arrival [epoch ms],
    interval [s], cost), `signals` columns by name. Of several meters in one interval the reading that arrives last has
    the bill and demand of all, so the revision of each does not count.
    """
    found = []
    for row, ((meter, site_path, place), sample, currency) in enumerate(zip(places, samples, currencies, strict=True)):
        account = account_of(meter, place)
        prefilter = prefilters.of_supply(account, site_path) if account else None
        values = {}
        for name in prefilter.signals if prefilter is not None else ():
            value = signals[name][row]
            if value == value:  # NaN: the reading has no such value
                values[name] = value
        if prefilter is None or not values:
            found.append(NOTHING)
            continue
        at_ms, arrival_ms, interval_s, cost_u = sample
        forwarded = prefilter.observe(at_ms, interval_s, 0, cost_u, arrival_ms, currency, values)
        found.append(columns_of(forwarded))
    return found


def account_of(meter: str, place: str | None) -> str:
    """Return the key of the bill that a reading adds to; empty for a meter behind another one."""
    if place is None:
        return meter
    return "" if counting_of(place) == Counting.BEHIND else place.split(SEPARATOR, 1)[0]
