"""Channels, their units, and exact conversion to integer micro-units.

Energy is an integer of micro-kWh (1e-6 kWh), reactive energy of micro-kvarh, so sums are exact.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from flink_job.errors import MeteringError

MICRO = 1_000_000

#: Largest quantity of one reading, exclusive: 2^50 micro-units, about 1.1e9 kWh.
QUANTITY_LIMIT = 1 << 50

#: Billed channels and their default units.
BILLED_CHANNELS = {
    "import": "kWh",
    "export": "kWh",
    "reactive_import": "kvarh",
    "reactive_export": "kvarh",
}

#: Channels for alerts only, and their units.
MEASURED_CHANNELS = {
    "temperature": "degC",
    "vibration": "mm/s",
    "torque": "Nm",
    "speed": "rpm",
    "voltage": "V",
    "current": "A",
    "frequency": "Hz",
    "pressure": "bar",
    "flow": "m3/h",
    "humidity": "%",
}

_ENERGY = {"Wh": Decimal("0.001"), "kWh": Decimal(1), "MWh": Decimal(1000), "GWh": Decimal(1_000_000)}
_POWER = {"W": Decimal("0.001"), "kW": Decimal(1), "MW": Decimal(1000)}
_REACTIVE = {"varh": Decimal("0.001"), "kvarh": Decimal(1), "Mvarh": Decimal(1000)}
_REACTIVE_POWER = {"var": Decimal("0.001"), "kvar": Decimal(1), "Mvar": Decimal(1000)}


class UnknownUnitError(MeteringError, ValueError):
    """A unit that the channel cannot be measured in."""


def to_micro(quantity: Decimal) -> int:
    """Convert a quantity to integer micro-units, rounded half to even."""
    return int((quantity * MICRO).to_integral_value(ROUND_HALF_EVEN))


def quantity_of(channel: str, number: Decimal, unit: str, interval_s: int) -> Decimal:
    """Convert a number to the unit of its channel: kWh, kvarh, or the measured unit.

    Power is converted to energy over the interval: kWh = kW x s / 3600. Raises UnknownUnitError if the channel cannot
    be measured in `unit`.
    """
    if channel in MEASURED_CHANNELS:
        if unit != MEASURED_CHANNELS[channel]:
            raise UnknownUnitError(f"unit of {channel} is {unit!r}; it must be {MEASURED_CHANNELS[channel]}")
        return number
    energy, power = (_REACTIVE, _REACTIVE_POWER) if channel.startswith("reactive") else (_ENERGY, _POWER)
    if unit in energy:
        return number * energy[unit]
    if unit in power:
        return number * power[unit] * interval_s / 3600
    raise UnknownUnitError(f"unit of {channel} is {unit!r}; it must be one of {', '.join([*energy, *power])}")
