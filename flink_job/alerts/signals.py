"""Signals that rules can use: unit, range of values, and whether they belong to readings or KPI windows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from flink_job.alerts.clocks import CLOCK_AHEAD
from flink_job.metering.units import MEASURED_CHANNELS

READING, KPI = "reading", "kpi"
#: Level of rules on a supply point, and the signals of readings that it has: those of its bill and its demand. They
#: come from the state of bills, so they exist in the stream only.
SUPPLY = "supply"
OF_SUPPLY = frozenset({"demand_kw", "contracted_share", "bill", "projected_bill"})
#: Share of a billing cycle that must have passed before its bill is projected.
PROJECTED_FROM = 0.1
#: Windows of KPI signals [s].
KPI_WINDOWS = {"1h": 3600, "1d": 86_400}


@dataclass(frozen=True)
class Signal:
    """A signal. A rule with a limit beyond `lowest` and `highest` would never fire or never clear.

    `grows`: with each reading of a window (a cost, unless energy is exported).
    """

    name: str
    unit: str
    source: str
    doc: str
    lowest: float = -inf
    highest: float = inf
    grows: bool = False


_CHANNEL_RANGES = {
    "temperature": (-273.15, inf),
    "vibration": (0, inf),
    "voltage": (0, inf),
    "frequency": (0, inf),
    "humidity": (0, 100),
}

_READING = (
    Signal("power_kw", "kW", READING, "Mean import power of the interval", 0),
    Signal("export_kw", "kW", READING, "Mean export power of the interval", 0),
    Signal("demand_kw", "kW", READING, "Demand of the current demand interval so far", 0),
    Signal("contracted_share", "", READING, "demand_kw as a share of the contracted power (1 is all of it)", 0),
    Signal("cost", "currency", READING, "Cost of the reading"),
    Signal("bill", "currency", READING, "Cost of the billing cycle so far: energy, demand, export, taxes on them"),
    Signal(
        "projected_bill",
        "currency",
        READING,
        "Bill at the end of the cycle, if the mean power so far continues in each TOU period",
    ),
    Signal(CLOCK_AHEAD, "s", READING, "How far the interval ends after the arrival of the reading", 0),
    *(
        Signal(name, unit, READING, f"Measured channel {name}", *_CHANNEL_RANGES.get(name, (-inf, inf)))
        for name, unit in MEASURED_CHANNELS.items()
    ),
)
_KPI = (
    Signal("kpi.cost", "currency", KPI, "Cost of the window", grows=True),
    Signal("kpi.energy_kwh", "kWh", KPI, "Imported energy of the window", grows=True),
    Signal("kpi.max_kw", "kW", KPI, "Highest mean power of a quarter hour in the window", grows=True),
    Signal("kpi.completeness", "", KPI, "Readings of the window as a share of the expected readings", 0, 1),
    Signal("kpi.power_factor", "", KPI, "kWh / sqrt(kWh^2 + kvarh^2) of the window", 0, 1),
    Signal("kpi.load_factor", "", KPI, "Mean power as a share of the highest quarter hour", 0, 1),
)

SIGNALS: dict[str, Signal] = {signal.name: signal for signal in (*_READING, *_KPI)}
