"""The merged views over the output tables: keys and columns. The SQL of a view is in `<name>.sql`.

Hours and days have `kpis_windows.sql` in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A view: `key` names the columns that identify a row, `columns` maps each column to its documentation."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: Mapping[str, str]


_TENANT = {"tenant": "Customer who owns the row"}
_SITE = {"site": "Factory: the first part of the site path"}
_METER = {
    **_TENANT,
    "meter_id": "Meter",
    "site_path": "factory/process/line/sensor",
    **_SITE,
}
_UPSTREAM = {"upstream_path": "Site path of the meter that also measures a submeter; empty if there is none"}
_DAY = {
    "day_start": "Start of the site's local day, UTC",
    "day_s": "Length of that day [s]; 23 to 25 h",
}
_DATE = {"event_date": "UTC date of the window: a condition on it limits the partitions that are read"}
_CURRENCY = {"currency": "ISO 4217 code"}
_OR_NONE = {"currency": "ISO 4217 code; NULL for readings that have no price yet, whose cost is NULL"}
_MEASURED = {
    "energy_kwh": "Imported energy [kWh]",
    "export_kwh": "Exported energy [kWh]",
    "reactive_kvarh": "Imported reactive energy [kvarh]",
    "cost": "Cost, all charges [currency]; exact once `settle` has settled the cycle",
}
_QUARTER_HOUR = {
    "window_start": "Start of the quarter hour, UTC",
    **_OR_NONE,
    **_DAY,
    **_DATE,
    "interval_s": "Longest interval among the readings [s]",
    "readings": "Intervals with a reading",
    **_MEASURED,
}
_LEVEL = {
    "level": "meter, line, process or factory",
    "entity": "Meter id, or the prefix of the site path that names the level",
}
_EXPECTED = "Intervals expected in the window, also of meters that have a contract and have sent nothing"
_POWERS = {
    "min_kw": "Lowest mean power of a quarter hour [kW]",
    "mean_kw": "Mean power: energy_kwh divided by the length of the window [kW]",
    "max_kw": "Highest mean power of a quarter hour: the demand [kW]",
    "load_factor": "mean_kw divided by max_kw, 0 to 1; NULL without load",
    "power_factor": "kWh / sqrt(kWh^2 + kvarh^2), 0 to 1; NULL without imported active or reactive energy",
}
_POWER_PART = {
    "quarter_kwh": "Imported energy with readings divided by time, of which the power is computed [kWh]",
}
_COUNTS = {
    "readings": "Intervals with a reading",
    "expected_readings": _EXPECTED,
    "completeness": "readings divided by expected_readings, 0 to 1",
}


def _window(start: str, *dates: Mapping[str, str]) -> dict[str, str]:
    columns = {**_TENANT, **_LEVEL, **_OR_NONE, "window_start": start, **_DAY}
    for more in dates:
        columns |= more
    return columns | _SITE | _COUNTS | _MEASURED | _POWERS


READINGS_15M = View(
    "readings_15m",
    "Each row of `costs` in the quarter hour in which its interval begins, and a row for the part of the power of a "
    "reading that ends in the next quarter hour.",
    ("tenant", "reading_id", "window_start"),
    {
        "reading_id": "Reading; see `costs`",
        **_METER,
        **_QUARTER_HOUR,
        **_CURRENCY,
        "interval_s": "Length of the interval [s]",
        "readings": "1 for the first record of an interval, else 0",
        "supply_point": "Supply point of the meter",
        "role": "Role of the meter in it: main, sub, part or sensor",
        **_UPSTREAM,
        "cycle_start": "First local day of the billing cycle, YYYY-MM-DD",
        "tariff_id": "Tariff",
        "tariff_version": "Tariff version",
        **_POWER_PART,
    },
)
METER_15M = View(
    "meter_15m",
    "Quarter hours of each meter: `costs`, including late readings, plus the `adjustments` of settlement. A meter that "
    "moved within a quarter hour has one row per site path and path of the meter upstream.",
    ("tenant", "meter_id", "site_path", "upstream_path", "window_start", "currency", "day_start"),
    {**_METER, **_UPSTREAM, **_QUARTER_HOUR, **_POWER_PART},
)
METER_LEVELS = View(
    "meter_levels",
    "Each row of `meter_15m` four times: for the meter, its line, its process and its factory. Levels count every kWh "
    "once: a submeter has further rows, negative, for the levels of the meter upstream.",
    ("tenant", "level", "entity", "meter_id", "site_path", "upstream_path", "window_start", "currency", "day_start"),
    {
        **_LEVEL,
        **_METER,
        **_UPSTREAM,
        **_QUARTER_HOUR,
        **_POWER_PART,
        "is_measured": "False for the negative rows of a submeter",
    },
)
KPIS_15M = View(
    "kpis_15m",
    "Quarter hours of every meter, line, process and factory. The power of a level is the sum over its meters.",
    ("tenant", "level", "entity", "site", "window_start", "currency", "day_start"),
    {
        **_TENANT,
        **_LEVEL,
        **_OR_NONE,
        "window_start": "Start of the quarter hour, UTC",
        "window_s": "900: length of the window [s]",
        **_DAY,
        **_DATE,
        **_SITE,
        "readings": "Intervals with a reading",
        "expected_readings": _EXPECTED,
        **_MEASURED,
        "mean_kw": "Mean power [kW]; a reading longer than the quarter hour counts with its own mean power, "
        "and one that ends in the next quarter hour by time in both",
    },
)
KPIS_1H = View(
    "kpis_1h",
    "Hours of every meter, line, process and factory. An hour in which a local day ends has one row per day.",
    ("tenant", "level", "entity", "site", "window_start", "currency", "day_start"),
    _window("Start of the hour, UTC", _DATE),
)
KPIS_1D = View(
    "kpis_1d",
    "Local days of every meter, line, process and factory: the days on which bills are based, not UTC dates.",
    ("tenant", "level", "entity", "site", "window_start", "currency"),
    _window("Start of the site's local day, UTC; the same as day_start"),
)
GAPS = View(
    "gaps",
    "Missing readings, one row per gap of at least one interval. Gaps are bounded by the readings of the meter's site, "
    "and by the hours in which the job expected readings by contract: a site that stopped reporting while the job "
    "runs and a meter that has never sent appear. A reading that is `unpriced` is not missing.",
    ("tenant", "meter_id", "gap_start"),
    {
        **_TENANT,
        "meter_id": "Meter",
        "device_id": "Device that sent the reading next to the gap; NULL if it is unpriced",
        "site_path": "factory/process/line/sensor",
        "interval_s": "Length of an interval of the meter [s]; of a meter that has never sent, as its contract expects",
        "kind": "between (two readings), before_first or after_last (reading of the meter), or never (a reading)",
        "gap_start": "Start of the gap, UTC",
        "gap_end": "End of the gap, UTC",
        "missing_readings": "Intervals without a reading",
        "missing_sequences": "Numbers skipped by the device's counter between the two readings; NULL if unknown",
    },
)
CURRENT_MEASUREMENTS = View(
    "current_measurements",
    "The valid value of each interval, meter and channel of `measurements`: the highest revision; of several records "
    "with it, the last one to arrive.",
    ("tenant", "meter_id", "channel", "interval_start"),
    {
        **_METER,
        "role": "Role of the meter in its supply point: main, sub, part or sensor",
        "channel": "Channel; see `measurements`",
        "interval_start": "Start of the interval, UTC",
        "interval_s": "Length of the interval [s]",
        "value": "Value as measured [unit]",
        "unit": "Unit of value: always the same for a channel",
        "raw_unit": "Unit in the record if it is another one; NULL else",
        "revision": "0 for the first version of a reading, higher for a correction",
        "quality": "actual, estimated or edited, as sent",
        "device_id": "Device that sent the record",
        "sequence_number": "Message counter of the device",
        "reading_id": "Reading; see `costs`",
        "arrival": "Time at which the stream received the record, UTC",
        **_DATE,
    },
)
UNSETTLED_CHANGES = View(
    "unsettled_changes",
    "Billing cycles of meters for whose time a contract was changed after readings had been priced, until `settle` has "
    "settled them by that contract or a later one.",
    ("tenant", "meter_id", "site", "cycle_start", "tariff_id", "tariff_version"),
    {
        **_METER,
        "supply_point": "Supply point to whose bill the meter belongs",
        "cycle_start": "First local day of the billing cycle, YYYY-MM-DD",
        "tariff_id": "Tariff by which the readings were priced",
        "tariff_version": "Tariff version",
        **_CURRENCY,
        "changed_from": "Start of the changed time, UTC",
        "changed_until": "End of the changed time, UTC",
        "fields": "Fields of the contract that differ; see `contract_changes`",
        "changed_at": "Time at which the job read the contract. UTC",
        "issued_at": "Version of the contract",
    },
)
BILLS = View(
    "bills",
    "Bill of each supply point and cycle: `costs` plus the `adjustments` of settlement (`settle`). A supply with "
    "meters at several sites, also if its meter moved within the cycle, has one row per site; their sum is the bill.",
    ("tenant", "supply_point", "site", "cycle_start", "tariff_id", "tariff_version"),
    {
        **_TENANT,
        "supply_point": "Supply point: a meter that measures a supply of its own, or several meters",
        "meter_id": "Meter that measures the supply; NULL if several do",
        "site_path": "factory/process/line/sensor of the meter",
        **_SITE,
        "cycle_start": "First local day of the billing cycle, YYYY-MM-DD",
        "tariff_id": "Tariff",
        "tariff_version": "Tariff version",
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
        "adjustment": "Part of cost added by settlement (`settle`); 0 until the cycle has been settled [currency]",
        "status": "contract changed: after readings had been priced, and not settled since; "
        "open: the cycle may have further readings; provisional: closed and not settled; settled; changed "
        "since settled: readings came later",
    },
)
SHARED_COSTS = View(
    "shared_costs",
    "What each meter bears of the bill of its supply point, by interval and charge: final shares of settled cycles, "
    "and estimates at the mean prices so far of others. At any time they add up to `costs` and `adjustments`.",
    (
        "tenant",
        "supply_point",
        "meter_id",
        "interval_start",
        "interval_s",
        "cycle_start",
        "tariff_id",
        "tariff_version",
    ),
    {
        **_TENANT,
        "supply_point": "Supply point",
        "meter_id": "Meter, or `<supply_point>:rest`: what no submeter measured",
        "site_path": "factory/process/line/sensor; of the rest, that of the main",
        **_SITE,
        "interval_start": "Start of the interval, UTC",
        "interval_s": "Length of the interval [s]; 0 for what came after the settlement, and for rounding",
        "local_date": "Local date of the interval, YYYY-MM-DD",
        **_DATE,
        "energy_kwh": "Imported energy of the meter, less that of the meters behind it [kWh]",
        "energy_cost": "Energy charge [currency]",
        "demand_cost": "Demand charge [currency]",
        "fixed_cost": "Fixed charges [currency]",
        "reactive_cost": "Charge for reactive energy; of cycles that are not settled, with the minimum bill [currency]",
        "export_credit": "Credit for exported energy, negative [currency]",
        "minimum_cost": "Minimum bill [currency]",
        "tax": "Taxes [currency]",
        "cost": "Sum of the above [currency]",
        **_CURRENCY,
        "cycle_start": "First local day of the billing cycle, YYYY-MM-DD",
        "tariff_id": "Tariff",
        "tariff_version": "Tariff version",
        "provisional": "True if settlement may change the share",
        "sum_check": "True if meters behind it measured more than it did: in the interval, in estimates on the day",
    },
)
ALERT_EPISODES = View(
    "alert_episodes",
    "Alerts, one row per episode; one row per site if the meter moved to another site during it.",
    ("tenant", "alert_id", "site"),
    {
        **_TENANT,
        "alert_id": "Hash of rule, entity, episode start and, above the meter, currency",
        "rule_id": "Rule",
        "title": "Title of the rule",
        "entity": "Meter, supply point, prefix of a site path, or tag=value",
        "site_path": "factory/process/line/sensor",
        **_SITE,
        "episode_start": "Interval start of the first breach; the last arrival for a no-data rule. UTC",
        "notified_at": "Time of the first notification; NULL for alerts that are historical or muted throughout. UTC",
        "over_at": "Time at which it cleared, latched, or was closed by hand; NULL while it is open. UTC",
        "acknowledged_at": "Time of the first acknowledgement. UTC",
        "cost": "Cost of the readings of the episode [currency]",
        "flapping": "1 if the alert was flapping, else 0",
    },
)
ALERT_HEALTH = View(
    "alert_health",
    "Quality of alerting, by site and hour of notification.",
    ("tenant", "site", "hour"),
    {
        **_TENANT,
        **_SITE,
        "hour": "Start of the hour, UTC",
        "alerts": "Alerts with a notification in the hour",
        "most_in_10_min": "Highest number of them within ten minutes",
        "is_flood": "True if most_in_10_min is more than ten",
        "chattering": "Alerts of a rule and entity that were raised at least twice in the hour before",
        "standing": "Alerts open for more than a day",
        "acknowledged": "Acknowledged alerts",
        "mean_time_to_acknowledge_s": "Mean time from notification to acknowledgement [s]",
    },
)

#: In order of dependency: each view after those that it reads.
VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        READINGS_15M,
        METER_15M,
        METER_LEVELS,
        KPIS_15M,
        KPIS_1H,
        KPIS_1D,
        GAPS,
        CURRENT_MEASUREMENTS,
        UNSETTLED_CHANGES,
        BILLS,
        SHARED_COSTS,
        ALERT_EPISODES,
        ALERT_HEALTH,
    )
}
