"""The merged views over the output tables: grain and columns. The SQL of each is in the file of its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A view. `key` names the columns that identify a row, `columns` what each column holds, with its unit."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: Mapping[str, str]


_SITE = {"site": "Factory: the first part of the site path"}
_METER = {
    "tenant": "Customer whose row it is",
    "meter_id": "Meter",
    "site_path": "factory/process/line/sensor",
    **_SITE,
}
_DAY = {
    "day_start": "Beginning of the site's local day, UTC",
    "day_s": "Length of that day [s]; 23 to 25 h",
}
_DATE = {"event_date": "UTC date of the window: a condition on it limits the partitions that are read"}
_CURRENCY = {"currency": "ISO 4217 code"}
_MEASURED = {
    "energy_kwh": "Imported energy [kWh]",
    "export_kwh": "Exported energy [kWh]",
    "reactive_kvarh": "Imported reactive energy [kvarh]",
    "cost": "Cost of the readings, all charges [currency]",
}
_QUARTER_HOUR = {
    "window_start": "Beginning of the quarter hour, UTC",
    **_CURRENCY,
    **_DAY,
    **_DATE,
    "interval_s": "Longest interval among the readings [s]",
    "readings": "Intervals with a reading",
    **_MEASURED,
}
_LEVEL = {"level": "meter, line, process or factory", "entity": "Meter id, or the beginning of the site path"}
_EXPECTED = "Intervals expected in the window, of the meters with at least one reading in it"
_POWERS = {
    "min_kw": "Lowest mean power of a quarter hour [kW]",
    "mean_kw": "Mean power: energy_kwh divided by the length of the window [kW]",
    "max_kw": "Highest mean power of a quarter hour: the demand [kW]",
    "load_factor": "mean_kw divided by max_kw, 0 to 1; NULL without load",
    "power_factor": "kWh / sqrt(kWh^2 + kvarh^2), 0 to 1; NULL without imported active or reactive energy",
}
_COUNTS = {
    "readings": "Intervals with a reading",
    "expected_readings": _EXPECTED,
    "completeness": "readings divided by expected_readings, 0 to 1",
}


def _window(start: str, *dates: Mapping[str, str]) -> dict[str, str]:
    columns = {"tenant": "Customer whose row it is", **_LEVEL, **_CURRENCY, "window_start": start, **_DAY}
    for more in dates:
        columns |= more
    return columns | _SITE | _COUNTS | _MEASURED | _POWERS


METER_15M = View(
    "meter_15m",
    "Quarter hours of each meter, summed from `costs`: exact, whatever came late. A meter that changed hands within a "
    "quarter hour has a row for each site.",
    ("tenant", "meter_id", "site", "window_start", "currency", "day_start"),
    {**_METER, **_QUARTER_HOUR},
)
METER_LEVELS = View(
    "meter_levels",
    "Each row of `meter_15m` four times: for the meter, its line, its process and its factory.",
    ("tenant", "level", "entity", "meter_id", "site", "window_start", "currency", "day_start"),
    {**_LEVEL, **_METER, **_QUARTER_HOUR},
)
KPIS_15M = View(
    "kpis_15m",
    "Quarter hours of every meter, line, process and factory. The power of a level is the sum of that of its meters.",
    ("tenant", "level", "entity", "site", "window_start", "currency", "day_start"),
    {
        "tenant": "Customer whose row it is",
        **_LEVEL,
        **_CURRENCY,
        "window_start": "Beginning of the quarter hour, UTC",
        "window_s": "900: length of the window [s]",
        **_DAY,
        **_DATE,
        **_SITE,
        "readings": "Intervals with a reading",
        "expected_readings": _EXPECTED,
        **_MEASURED,
        "mean_kw": "Mean power [kW]; a reading longer than the quarter hour counts with its own mean power",
    },
)
KPIS_1H = View(
    "kpis_1h",
    "Hours of every meter, line, process and factory. An hour in which a local day ends has a row for each day.",
    ("tenant", "level", "entity", "site", "window_start", "currency", "day_start"),
    _window("Beginning of the hour, UTC", _DATE),
)
KPIS_1D = View(
    "kpis_1d",
    "Local days of every meter, line, process and factory: the days on which bills are based, not UTC dates.",
    ("tenant", "level", "entity", "site", "window_start", "currency"),
    _window("Beginning of the site's local day, UTC; the same as day_start"),
)
GAPS = View(
    "gaps",
    "Missing readings, one row for each span of at least one interval. The edges are those of the meter's site: a site "
    "of which nothing arrives any more, and a meter without a single reading, do not appear.",
    ("tenant", "meter_id", "gap_start"),
    {
        "tenant": "Customer whose row it is",
        "meter_id": "Meter",
        "device_id": "Device that sent the reading next to the gap",
        "site_path": "factory/process/line/sensor",
        "interval_s": "Length of an interval of the meter [s]",
        "kind": "between (two readings), before_first (of the meter) or after_last: the meter is silent since",
        "gap_start": "Beginning of the gap, UTC",
        "gap_end": "End of the gap, UTC",
        "missing_readings": "Intervals without a reading",
        "missing_sequences": "Numbers that the device's counter skipped between the two readings; NULL if unknown",
    },
)
BILLS = View(
    "bills",
    "Bill of each meter and cycle: `costs` plus the `adjustments` of `rerate`. A meter that changed hands within the "
    "cycle has a row for each site; together they are the bill.",
    ("tenant", "meter_id", "site", "cycle_start", "tariff_id", "tariff_version"),
    {
        **_METER,
        "cycle_start": "First local day of the billing cycle, YYYY-MM-DD",
        "tariff_id": "Tariff",
        "tariff_version": "Its version",
        **_CURRENCY,
        "energy_kwh": "Imported energy [kWh]",
        "export_kwh": "Exported energy [kWh]",
        "energy_cost": "Energy charge [currency]",
        "demand_cost": "Demand charge [currency]",
        "fixed_cost": "Fixed charges [currency]",
        "export_credit": "Credit for exported energy, negative [currency]",
        "other_cost": "Other charges: minimum bill and reactive energy [currency]",
        "tax": "Taxes [currency]",
        "cost": "Sum of the above: the bill [currency]",
        "adjustment": "The part of cost that `rerate` added; 0 before the cycle has been rated again [currency]",
    },
)
ALERT_EPISODES = View(
    "alert_episodes",
    "Alerts, one row for each episode; of a meter that changed hands during it, one for each site.",
    ("tenant", "alert_id", "site"),
    {
        "tenant": "Customer whose row it is",
        "alert_id": "Hash of rule, entity and episode start",
        "rule_id": "Rule",
        "title": "What the rule is about, in words",
        "entity": "Meter, beginning of a site path, or tag=value",
        "site_path": "factory/process/line/sensor",
        **_SITE,
        "episode_start": "Interval start of the first breach; of missing data, the last arrival. UTC",
        "notified_at": "When people were notified first; NULL for alerts that are historical or muted throughout. UTC",
        "over_at": "When it cleared or latched; NULL while it is open. UTC",
        "acknowledged_at": "When somebody acknowledged it first. UTC",
        "cost": "What the readings of the episode cost [currency]",
        "flapping": "1 where the alert was flapping, else 0",
    },
)
ALERT_HEALTH = View(
    "alert_health",
    "Quality of the alerting by site and hour in which alerts were notified.",
    ("tenant", "site", "hour"),
    {
        "tenant": "Customer whose row it is",
        **_SITE,
        "hour": "Beginning of the hour, UTC",
        "alerts": "Alerts notified in the hour",
        "most_in_10_min": "Most of them within ten minutes",
        "is_flood": "True where that is more than ten",
        "chattering": "Alerts of a rule and entity that was raised at least twice in the hour before",
        "standing": "Alerts open for more than a day",
        "acknowledged": "Alerts that somebody acknowledged",
        "mean_time_to_acknowledge_s": "Mean time from notification to acknowledgement [s]",
    },
)

#: Each after those that it reads.
VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (METER_15M, METER_LEVELS, KPIS_15M, KPIS_1H, KPIS_1D, GAPS, BILLS, ALERT_EPISODES, ALERT_HEALTH)
}
