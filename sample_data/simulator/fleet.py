"""The fleet: meters with their sites, kinds of reading, contracts and tariffs."""

from __future__ import annotations

from dataclasses import dataclass

#: First day of the sample data; daylight saving time begins in Spain on Sunday 29 March.
SAMPLE_START = "2026-03-28"
ASSIGNED_SINCE = "2026-01-01"


@dataclass(frozen=True)
class Plant:
    """A factory; its meters are assigned the tariffs in turn."""

    name: str
    timezone: str
    billing_day: int
    tariffs: tuple[str, ...]
    processes: tuple[str, ...]


PLANTS = (
    Plant(
        "zaragoza",
        "Europe/Madrid",
        1,
        ("eur-flat", "eur-tou", "eur-demand"),
        ("casting", "machining", "assembly"),
    ),
    Plant(
        "pune",
        "Asia/Kolkata",
        29,
        ("inr-tiered", "inr-tod-demand", "inr-shared-tiers"),
        ("forging", "coating", "packing"),
    ),
)
LINES = 3


@dataclass(frozen=True)
class Meter:
    """A meter of the fleet. `kind` is its kind of reading: `interval`, `wide` (several quantities) or `register`."""

    number: int
    meter_id: str
    plant: Plant
    site_path: str
    interval_s: int
    kind: str
    scale_kw: float
    tariff_id: str
    has_contract: bool
    changes_to: str | None

    def contract(self) -> dict[str, object]:
        """Return the contract document of the meter."""
        assignments = [{"tariff_id": self.tariff_id, "valid_from": ASSIGNED_SINCE}]
        if self.changes_to:
            assignments.append({"tariff_id": self.changes_to, "valid_from": "2026-03-30"})
        return {
            "meter_id": self.meter_id,
            "site_path": self.site_path,
            "timezone": self.plant.timezone,
            "billing_day": self.plant.billing_day,
            "assignments": assignments,
        }


def build_fleet(meters: int, interval_s: int | None = None) -> list[Meter]:
    """Return the given number of meters, in two factories.

    Two of eight are read every five minutes, the others every quarter hour, unless `interval_s` is given. Meter 4
    changes its tariff on 30 March, meter 8 has a cumulative register that rolls over, and meters 11, 81, 151 ... have
    no contract.
    """
    return [_meter(number, interval_s) for number in range(meters)]


def _meter(number: int, interval_s: int | None) -> Meter:
    plant = PLANTS[number % 2]
    process = plant.processes[number // 2 % len(plant.processes)]
    line = number // 6 % LINES + 1
    meter_id = f"{plant.name[:3]}-{number:05d}"
    return Meter(
        number,
        meter_id,
        plant,
        f"{plant.name}/{process}/line-{line}/{meter_id}",
        interval_s or (300 if number % 8 in (3, 6) else 900),
        "register" if number == 8 else "wide" if number % 5 == 2 else "interval",
        20.0 * (1 + number % 7),
        plant.tariffs[number // 2 % len(plant.tariffs)],
        number % 70 != 11,
        "eur-tou" if number == 4 else None,
    )
