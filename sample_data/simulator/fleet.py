"""The fleet: meters with their sites, places in supply points, kinds of reading, contracts and tariffs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

#: First day of the sample data; daylight saving time begins in Spain on Sunday 29 March.
SAMPLE_START = "2026-03-28"
ASSIGNED_SINCE = "2026-01-01"
LINES = 3
#: Highest power without a submeter, for each meter behind a main [kW].
UNMEASURED_KW = 4.0
UNMEASURED_PROFILE = 8


@dataclass(frozen=True)
class Supply:
    """A supply point with several meters. Without a `main`, the feeders of its lines are its parts."""

    name: str
    tariff_id: str
    processes: tuple[str, ...]
    main: str = ""


@dataclass(frozen=True)
class Plant:
    """A factory. The meters of processes without a supply have contracts of their own, with the tariffs in turn."""

    name: str
    timezone: str
    billing_day: int
    tariffs: tuple[str, ...]
    processes: tuple[str, ...]
    supplies: tuple[Supply, ...]

    def supply_of(self, process: str) -> Supply | None:
        """Return the supply of a process."""
        return next((supply for supply in self.supplies if process in supply.processes), None)


PLANTS = (
    Plant(
        "zaragoza",
        "Europe/Madrid",
        1,
        ("eur-flat", "eur-tou", "eur-demand"),
        ("casting", "machining", "assembly"),
        (
            Supply("sp-machining", "eur-demand", ("machining",), "zar-main"),
            Supply("sp-assembly", "eur-tou", ("assembly",)),
        ),
    ),
    Plant(
        "pune",
        "Asia/Kolkata",
        29,
        ("inr-tiered", "inr-tod-demand", "inr-shared-tiers"),
        ("forging", "coating", "packing"),
        (Supply("sp-pune", "inr-tod-demand", ("coating", "packing"), "pun-main"),),
    ),
)


@dataclass(frozen=True)
class Meter:
    """A meter of the fleet.

    `kind`: its kind of reading: `interval`, `wide` (several quantities), `register`, `grid` (active and reactive), or
    `hall` (no energy).
    `scale_kw`: highest power of what it measures beside the meters behind it. `supply`, `role`: None and empty for a
    meter with a contract of its own, of `tariff_id`. `upstream`: the meter that measures it, too.
    """

    meter_id: str
    seed: int | str
    profile: int
    plant: Plant
    site_path: str
    interval_s: int
    kind: str
    scale_kw: float
    tariff_id: str = ""
    changes_to: str = ""
    has_contract: bool = True
    supply: Supply | None = None
    role: str = ""
    upstream: str = ""

    @property
    def has_solar(self) -> bool:
        """Solar panels are at meters with contracts of their own."""
        return self.kind == "wide" and self.supply is None

    def contract(self) -> dict[str, object]:
        """Return the contract document of the meter."""
        terms = {"timezone": self.plant.timezone, "billing_day": self.plant.billing_day}
        document: dict[str, object] = {"meter_id": self.meter_id, "site_path": self.site_path, **terms}
        if self.role == "sensor":
            document["role"] = self.role
        elif self.supply is not None:
            document |= {"supply_point": self.supply.name, "role": self.role}
        # A submeter that names no meter upstream is behind the main.
        if self.role == "sub" and self.upstream != self.supply_main:
            document["upstream"] = self.upstream
        if self.tariff_id:
            document["assignments"] = [assignment(self.tariff_id)]
        if self.changes_to:
            document["assignments"] = [assignment(self.tariff_id), assignment(self.changes_to, "2026-03-30")]
        return document

    @property
    def supply_main(self) -> str:
        """The main of its supply; empty if that has none."""
        return self.supply.main if self.supply is not None else ""


def assignment(tariff_id: str, valid_from: str = ASSIGNED_SINCE) -> dict[str, str]:
    """Return the assignment of a tariff from a day on."""
    return {"tariff_id": tariff_id, "valid_from": valid_from}


def build_fleet(meters: int, interval_s: int | None = None) -> list[Meter]:
    """Return the given number of meters, in two factories, the mains that measure those behind them, and six sensors.

    Two of eight are read every five minutes, the others every quarter hour, unless `interval_s` is given. Behind a
    main are the feeders of its lines, and behind these the other meters of the line; feeders of a supply without a
    main are its parts. Meter 18 changes its tariff on 30 March, meter 42 has a register that rolls over, and
    meters 23, 93, 163 ... have no contract.
    """
    found = [_meter(number, interval_s) for number in range(meters)]
    behind = Counter((meter.plant, meter.supply) for meter in found if meter.supply_main)
    mains = (_main(plant, supply, count, interval_s) for (plant, supply), count in behind.items() if supply is not None)
    return [*found, *mains, *(_sensor(plant, number, interval_s) for plant in PLANTS for number in range(LINES))]


def supply_records(fleet: list[Meter]) -> Iterator[dict[str, object]]:
    """Yield the records of the supply points of the fleet that have no main with their terms."""
    plants = {meter.supply: meter.plant for meter in fleet if meter.supply is not None and not meter.supply.main}
    for supply, plant in plants.items():
        terms = {"timezone": plant.timezone, "billing_day": plant.billing_day}
        yield {"supply_point": supply.name, **terms, "assignments": [assignment(supply.tariff_id)]}


def _meter(number: int, interval_s: int | None) -> Meter:
    plant = PLANTS[number % 2]
    process = plant.processes[number // 2 % len(plant.processes)]
    line, supply = number // 6 % LINES, plant.supply_of(process)
    prefix = plant.name[:3]
    meter_id, feeder = f"{prefix}-{number:05d}", f"{prefix}-{number % (6 * LINES):05d}"
    place: dict[str, object] = {"tariff_id": plant.tariffs[line], "changes_to": "eur-tou" if number == 18 else ""}
    if supply is not None:
        is_feeder = meter_id == feeder
        role = "part" if is_feeder and not supply.main else "sub"
        place = {"supply": supply, "role": role, "upstream": supply.main if is_feeder else feeder}
    is_fast = number % 8 in (3, 6) and not (supply is not None and meter_id == feeder)
    return Meter(
        meter_id,
        number,
        number,
        plant,
        f"{plant.name}/{process}/line-{line + 1}/{meter_id}",
        interval_s or (300 if is_fast else 900),
        "register" if number == 42 else "wide" if number % 5 == 2 else "interval",
        20.0 * (1 + number % 7),
        has_contract=number % 70 != 23,
        **place,  # type: ignore[arg-type]
    )


def _main(plant: Plant, supply: Supply, behind: int, interval_s: int | None) -> Meter:
    """Return the main of a supply, given the number of meters behind it. Its contract has the terms."""
    return Meter(
        supply.main,
        supply.main,
        UNMEASURED_PROFILE,
        plant,
        f"{plant.name}/supply/main/{supply.main}",
        interval_s or 900,
        "grid",
        UNMEASURED_KW * behind,
        supply.tariff_id,
        supply=supply,
        role="main",
    )


def _sensor(plant: Plant, number: int, interval_s: int | None) -> Meter:
    """Return the sensor of the climate of a process, which measures no energy."""
    process = plant.processes[number]
    meter_id = f"{plant.name[:3]}-hall-{number + 1}"
    path = f"{plant.name}/{process}/hall/{meter_id}"
    return Meter(meter_id, meter_id, number, plant, path, interval_s or 900, "hall", 0.0, role="sensor")
