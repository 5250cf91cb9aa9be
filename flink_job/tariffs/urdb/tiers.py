"""Tiers of a URDB record: their prices, bounds and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flink_job.tariffs.urdb.values import decimal, nonzero, text

UNITS = {"kwh": "kWh", "kwh daily": "kWh daily", "kwh/kw": "kWh/kW", "kwh/kw daily": "kWh/kW daily"}
#: Kilowatts per unit of demand; an (electric) horsepower is 746 W exactly (NIST SP 811, appendix B).
KW_PER_UNIT = {"kw": Decimal(1), "hp": Decimal("0.746")}


def tiers_of(tiers: Sequence[Mapping[str, Any]], kw: Decimal = Decimal(1), sells: bool = True) -> list[dict[str, str]]:
    """Convert tiers: the price is rate + adj. A max of the last tier is ignored, because no price follows it.

    `kw`: kilowatts per unit of demand; 1 for energy.
    """
    return [
        {
            "price": text(price_of(tier) / kw),
            **({"max": text(decimal(tier["max"]) * kw)} if "max" in tier and tier is not tiers[-1] else {}),
            **({"sell": text(tier["sell"])} if sells and nonzero(tier.get("sell")) else {}),
        }
        for tier in tiers
    ]


def price_of(tier: Mapping[str, Any]) -> Decimal:
    """Return the price of a tier: rate + adj."""
    return decimal(tier.get("rate") or 0) + decimal(tier.get("adj") or 0)


def sell_price(tiers: Sequence[Mapping[str, Any]]) -> Decimal:
    """Return the sell price of the first tier; 0 without one."""
    return decimal(tiers[0].get("sell") or 0) if tiers else Decimal(0)
