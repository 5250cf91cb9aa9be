"""A tariff document of every kind of charge, for laws that must hold for all of them."""

from __future__ import annotations

from datetime import date
from typing import Any

HEAD = {"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY_NIGHT = {
    "days": [
        {
            "on": EVERY_DAY[:5],
            "bands": [
                {"from": "00:00", "period": "night"},
                {"from": "07:30", "period": "day"},
                {"from": "21:00", "period": "night"},
            ],
        },
        {"on": EVERY_DAY[5:], "bands": [{"from": "00:00", "period": "night"}]},
    ]
}


def tiered(rule: str, unit: str = "kWh", low: str = "40", high: str = "150", sell: bool = False) -> dict[str, Any]:
    def period(*prices: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = [{"price": p} for p in prices]
        found[0]["max"], found[1]["max"] = low, high
        if sell:
            for tier, credit in zip(found, ("0.05", "0.03", "0.011"), strict=True):
                tier["sell"] = credit
        return found

    return {
        **HEAD,
        "calendar": DAY_NIGHT,
        "tier_rule": rule,
        "energy": {
            "tier_unit": unit,
            "periods": {"night": period("0.07", "0.111", "0.1234567"), "day": period("0.2", "0.21", "0.333333333")},
        },
    }


TWO_PRICES = {
    **HEAD,
    "calendar": DAY_NIGHT,
    "energy": {"periods": {"night": [{"price": "0.0712345"}], "day": [{"price": "0.19"}]}},
    "export": {"prices": {"night": "0.03", "day": "0.0555"}},
}
DEMAND = {
    "window_s": 900,
    "flat": [{"price": "3.7", "max": "12"}, {"price": "5.123"}],
    "periods": {"day": [{"price": "2.5"}]},
}
POWER = {
    "periods": {"night": "3.1", "day": "21.7"},
    "kw": {"night": "20", "day": "9"},
    "excess": {"rule": "root_of_squares", "prices": {"night": "0.9", "day": "1.406"}},
}
REACTIVE = {
    "free_share": "0.33",
    "periods": ["day"],
    "bands": [{"cos_phi_below": "0.95", "price": "0.041554"}, {"cos_phi_below": "0.80", "price": "0.062332"}],
    "capacitive": {"cos_phi_below": "0.98", "price": "0.05", "periods": ["night"]},
}
TAXES = [
    {"name": "electricity tax", "rate": "0.0511269632", "base": ["energy", "demand", "fixed", "reactive"]},
    {"name": "VAT", "rate": "0.21", "base": ["energy", "demand", "fixed", "export", "reactive", "electricity tax"]},
]

#: Two groups of periods: those of the winter until 10 March fill tiers of other bounds than that of the summer.
SEASONS = {
    **HEAD,
    "tier_rule": "prorated",
    "calendar": {
        "seasons": {"winter": ["10-15/03-10"], "summer": ["03-11/10-14"]},
        "days": [
            {"season": "winter", "on": EVERY_DAY, "bands": DAY_NIGHT["days"][0]["bands"]},
            {"season": "summer", "on": EVERY_DAY, "bands": [{"from": "00:00", "period": "summer"}]},
        ],
    },
    "energy": {
        "periods": {
            "night": [{"price": "0.07", "max": "60"}, {"price": "0.09"}],
            "day": [{"price": "0.2", "max": "60"}, {"price": "0.24"}],
            "summer": [{"price": "0.1", "max": "90"}, {"price": "0.17"}],
        }
    },
}

#: Days of 06:00 to 06:00 in three classes, of which two are lists; the second list counts in the winter alone.
CLASSES = {
    **HEAD,
    "calendar": {
        "day_begins": "06:00",
        "seasons": {"winter": ["11-01/03-31"]},
        "day_lists": {"red": ["2026-02-20", "2026-03-09", "2026-03-28"], "white": ["2026-03-08", "2026-04-02"]},
        "days": [
            {"on": ["red"], "bands": [{"from": "06:00", "period": "red"}, {"from": "22:00", "period": "night"}]},
            {"season": "winter", "on": ["white"], "bands": [{"from": "06:00", "period": "white"}]},
            {
                "on": EVERY_DAY,
                "bands": [
                    {"from": "06:00", "period": "blue"},
                    {"from": "22:00", "period": "night"},
                    {"from": "02:30", "period": "blue"},
                ],
            },
        ],
    },
    "energy": {
        "periods": {
            "red": [{"price": "0.7562"}],
            "white": [{"price": "0.1871"}],
            "blue": [{"price": "0.1609"}],
            "night": [{"price": "0.1296"}],
        }
    },
    "demand": {"periods": {"red": [{"price": "3"}]}},
}

#: Priced by the stream, to the last digit, in any order of arrival.
STREAMED: dict[str, dict[str, Any]] = {
    "time of use": TWO_PRICES,
    "tiers per period": tiered("per_period"),
    "tiers shared": tiered("prorated"),
    "daily tiers": tiered("per_period", "kWh daily", "2", "5"),
    "demand": {**TWO_PRICES, "demand": DEMAND},
    "fixed": {
        **TWO_PRICES,
        "fixed": [
            {"name": "a", "amount": "0.41", "per": "day"},
            {"name": "b", "amount": "7.5", "per": "month"},
            {"name": "c", "amount": "33", "per": "year"},
        ],
    },
    "taxes": {**TWO_PRICES, "demand": DEMAND, "taxes": TAXES, "fixed": [{"name": "a", "amount": "9", "per": "month"}]},
    "months of 30 days": {**tiered("per_period"), "demand": DEMAND, "month_days": "30"},
    "months of 365/12 days": {
        **tiered("prorated"),
        "month_days": "365/12",
        "fixed": [{"name": "a", "amount": "9", "per": "month"}],
    },
    "tiers per kW": {**tiered("prorated", "kWh/kW", "3", "9"), "demand": DEMAND},
    "monthly adjustments": {
        **TWO_PRICES,
        "energy": {**TWO_PRICES["energy"], "adjustment_by_month": ["0.001"] * 2 + ["-0.0005", "0.02"] + ["0"] * 8},
    },
    "flat demand by month": {
        **TWO_PRICES,
        "demand": {"flat_by_month": [[{"price": str(month)}] for month in range(1, 13)]},
    },
    "reactive energy": {**TWO_PRICES, "reactive": REACTIVE},
    "buy all, sell all": {**TWO_PRICES, "export": {**TWO_PRICES["export"], "rule": "buy_all_sell_all"}},
    "cents": {**TWO_PRICES, "demand": DEMAND, "taxes": TAXES, "rounding": {"line_decimals": 2, "mode": "half_up"}},
    "minimum demand": {**TWO_PRICES, "demand": {**DEMAND, "minimum_kw": "2"}},
    "minimum of the month": {**TWO_PRICES, "demand": DEMAND, "minimum": [{"amount": "25", "per": "month"}]},
    "demand by a calendar of its own": {
        **TWO_PRICES,
        "demand": {
            "calendar": {
                "days": [
                    {"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "off"}, {"from": "17:00", "period": "on"}]}
                ]
            },
            "periods": {"on": [{"price": "4"}]},
        },
    },
    "taxes with floor and exemption": {
        **TWO_PRICES,
        "fixed": [{"name": "rental", "amount": "1", "per": "month", "exempt_from": ["electricity tax"]}],
        "taxes": [{**TAXES[0], "floor_per_kwh": "0.001"}, TAXES[1]],
    },
    "sliding demand": {**TWO_PRICES, "demand": {**DEMAND, "window_s": 1800, "slide_s": 900}},
    "demand sliding by parts of a reading": {**TWO_PRICES, "demand": {**DEMAND, "window_s": 1800, "slide_s": 300}},
    "daily demand": {**TWO_PRICES, "demand": {**DEMAND, "daily": True}},
    "demand in kVA": {**TWO_PRICES, "demand": {**DEMAND, "unit": "kVA"}, "reactive": REACTIVE},
    "sliding demand in kVA, above contracted power": {
        **TWO_PRICES,
        "demand": {**DEMAND, "unit": "kVA", "window_s": 1800, "slide_s": 300},
        "contracted_power": POWER,
    },
    "mean of the highest days": {**TWO_PRICES, "demand": {**DEMAND, "highest_days": 3, "minimum_kw": "2"}},
    "mean of the highest days in kVA": {**TWO_PRICES, "demand": {**DEMAND, "highest_days": 2, "unit": "kVA"}},
    "demand in kvar": {**TWO_PRICES, "demand": {**DEMAND, "unit": "kvar", "window_s": 1800}},
    "a share of the contracted power at least": {
        **TWO_PRICES,
        "demand": {**DEMAND, "minimum_share": "0.35", "minimum_kw": "1"},
        "contracted_power": POWER,
    },
    "steps by the mean of the highest days": {
        **TWO_PRICES,
        "demand": {
            "window_s": 3600,
            "highest_days": 3,
            "steps": [
                {"amount": "125", "max": "2"},
                {"amount": "206.25", "max": "5.5"},
                {"amount": "350.123456", "max": "10"},
                {"amount": "512"},
            ],
            "periods": {"day": [{"price": "2.5"}]},
        },
    },
    "tax by bands of the month": {
        **TWO_PRICES,
        "fixed": [{"name": "a", "amount": "9", "per": "month"}],
        "taxes": [
            {"name": "levy", "bands": [{"per_kwh": "0.031", "max": "45"}, {"per_kwh": "0.0123456"}]},
            {
                "name": "VAT",
                "base": ["energy", "fixed", "levy"],
                "rate": "0.01",
                "bands": [{"rate": "0.06", "max": "30"}, {"rate": "0.13", "max": "90"}, {"rate": "0.23"}],
            },
        ],
    },
    "cap on demand and energy by kWh": {
        **TWO_PRICES,
        "demand": {**DEMAND, "minimum_kw": "2"},
        "cap": {"per_kwh": "0.45", "charges": ["demand", "energy"]},
        "taxes": TAXES,
    },
    "cap on the mean price": {**TWO_PRICES, "cap": {"per_kwh": "0.13", "charges": ["energy"]}},
    "reactive energy by the half hour": {
        **TWO_PRICES,
        "reactive": {
            "free_share": "0.3287",
            "over": "interval",
            "interval_s": 1800,
            "bands": [{"cos_phi_below": "1", "price": "0.003"}],
        },
    },
    "reactive energy of periods together": {
        **TWO_PRICES,
        "reactive": {**REACTIVE, "over": "periods", "periods": ["day", "night"]},
    },
    "other prices below some hours of use": {
        **TWO_PRICES,
        "demand": DEMAND,
        "low_use": {
            "hours": 3,
            "energy": {"night": [{"price": "0.09"}], "day": [{"price": "0.27"}]},
            "demand": {"flat": [{"price": "1.25"}], "periods": {"day": [{"price": "0.5"}]}},
        },
        "taxes": TAXES,
    },
    "tiers of each day": tiered("per_period", "kWh each day", "2", "5"),
    "tiers of each day, netted by the hour": {
        **tiered("per_period", "kWh each day", "1.5", "3"),
        "export": {**TWO_PRICES["export"], "rule": "net_billing", "netting": "hour"},
    },
    "daily sliding demand": {**TWO_PRICES, "demand": {**DEMAND, "window_s": 1800, "slide_s": 900, "daily": True}},
    "contracted power": {**TWO_PRICES, "contracted_power": POWER},
    "contracted power and sliding demand": {
        **TWO_PRICES,
        "demand": {**DEMAND, "window_s": 1800, "slide_s": 900},
        "contracted_power": POWER,
    },
    "maximeter": {**TWO_PRICES, "contracted_power": {**POWER, "excess": {**POWER["excess"], "rule": "maximeter"}}},
    "tiers shared, with bounds of their own by season": SEASONS,
    "classes of days from 06:00": CLASSES,
    "net billing": {**TWO_PRICES, "export": {**TWO_PRICES["export"], "rule": "net_billing"}},
    "net billing by the hour, capped": {
        **TWO_PRICES,
        "demand": DEMAND,
        "export": {**TWO_PRICES["export"], "rule": "net_billing", "netting": "hour", "credit_cap": "energy"},
    },
    "rounded energy": {
        **TWO_PRICES,
        "demand": DEMAND,
        "rounding": {"energy_decimals": 2, "mode": "half_even"},
    },
    "rounded energy, netted": {
        **TWO_PRICES,
        "export": {**TWO_PRICES["export"], "rule": "net_billing"},
        "rounding": {"energy_decimals": 1, "mode": "half_up"},
    },
    "taxes that another one replaces": {
        **TWO_PRICES,
        "taxes": [
            {**TAXES[0], "floor_per_kwh": "0.001", "valid_to": "2026-03-15"},
            {**TAXES[0], "rate": "0.005", "floor_per_kwh": "0.0005", "valid_from": "2026-03-15"},
            TAXES[1],
        ],
    },
    "dynamic": {
        **HEAD,
        "energy": {"dynamic": {"series": "spot", "multiplier": "1.05", "adder": "0.01", "cap": "0.4", "floor": "-0.1"}},
    },
    "dynamic beside prices by time": {
        **TWO_PRICES,
        "energy": {**TWO_PRICES["energy"], "dynamic": {"series": "spot"}, "adjustment_by_month": ["0.001"] * 12},
    },
}

#: Priced by the stream, and provisional until settled: they depend on the order of readings, or on other cycles.
SETTLED: dict[str, dict[str, Any]] = {
    "tiers in order": tiered("chronological"),
    "tiers per kW and day, in order": tiered("chronological", "kWh/kW daily", "0.1", "0.3"),
    "ratchet": {
        **TWO_PRICES,
        "demand": {**DEMAND, "minimum_kw": "2", "ratchet": {"share": "0.8", "months_back": 2}},
    },
    "mean of the peaks of three cycles": {
        **TWO_PRICES,
        "demand": {**DEMAND, "minimum_kw": "2.5", "statistic": {"take": "mean", "cycles": 3}},
    },
    "yearly demand in instalments": {
        **TWO_PRICES,
        "demand": {**DEMAND, "statistic": {"take": "highest", "year_from": 1, "arrears": True}},
    },
    "tax by bands of the year": {
        **TWO_PRICES,
        "taxes": [
            {
                "name": "energy tax",
                "bands_of": "year",
                "bands": [{"per_kwh": "0.12", "max": "60"}, {"per_kwh": "0.05", "max": "200"}, {"per_kwh": "0.01"}],
            },
            {"name": "VAT", "rate": "0.21", "base": ["energy", "energy tax"]},
        ],
    },
    "minimum": {**TWO_PRICES, "minimum": [{"amount": "25", "per": "month"}, {"amount": "900", "per": "year"}]},
    "net metering": {**tiered("prorated"), "export": {"rule": "net_metering", "year_end_price": "0.02"}},
    "net metering, adjusted by month": {
        **TWO_PRICES,
        "energy": {**TWO_PRICES["energy"], "adjustment_by_month": ["0.001"] * 2 + ["-0.0005", "0.02"] + ["0"] * 8},
        "export": {"rule": "net_metering"},
    },
    "net metering across periods, from May": {
        **TWO_PRICES,
        "export": {"rule": "net_metering", "year_end_price": "0.08", "across_periods": True, "year_from": 5},
    },
    "net metering of the year, across periods": {
        **TWO_PRICES,
        "export": {
            "rule": "net_metering",
            "balance": "year",
            "year_end_price": "0.08",
            "across_periods": True,
            "year_from": 4,
        },
    },
    "net billing at sell prices": {**tiered("chronological", sell=True), "export": {"rule": "net_billing"}},
    "net billing, carried over": {
        **TWO_PRICES,
        "export": {**TWO_PRICES["export"], "rule": "net_billing", "carry_over": True},
    },
    "taxes with floor, validity and exemption": {
        **TWO_PRICES,
        "fixed": [{"name": "rental", "amount": "1", "per": "month", "exempt_from": ["electricity tax"]}],
        "taxes": [
            {**TAXES[0], "floor_per_kwh": "0.001", "valid_to": "2026-03-20"},
            {**TAXES[0], "rate": "0.005", "floor_per_kwh": "0.0005", "valid_from": "2026-03-20"},
            TAXES[1],
        ],
    },
}

KINDS = STREAMED | SETTLED
FIRST, LAST = date(2026, 2, 10), date(2026, 4, 20)
