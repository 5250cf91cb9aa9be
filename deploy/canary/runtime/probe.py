"""What the canary publishes and what must come of it: functions of a slot, the number of a quarter hour since 1970.

The readings are dated `BACK` before the slot. Their partitions of the lake hold nothing else, so that looking for a
cost reads a few kB whatever the deployment has, and they never move the job's event time, which belongs to real meters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flink_job.metering.envelope import enclose

#: Tenant, site, meter and tariff of the canary. No customer may have this name (docs/use/tenants.md).
NAME = "canary"
#: Metrics and where they are.
NAMESPACE, DIMENSION = "Metering", "Deployment"
AGE, WRONG = "CanaryAge", "CanaryWrong"
TARIFF_KEY = f"tariffs/{NAME}/{NAME}.json"
SLOT_S = 900
BACK = timedelta(days=7305)
#: Slots before the present one whose costs are looked for: six hours.
LOOKBACK = 24
PRICE, CURRENCY = Decimal("0.25"), "EUR"
#: Energies differ from slot to slot, so that a cost is not taken for another's.
_ENERGIES = 997


@dataclass(frozen=True)
class Finding:
    """`age_s`: seconds since the newest reading that came out as a cost was due; of none, at least the lookback.
    `wrong`: the slots whose cost is not what it must be.
    """

    age_s: float
    wrong: tuple[int, ...]
    found: int


def slot_of(when: datetime) -> int:
    """The slot that a time lies in."""
    return int(when.timestamp()) // SLOT_S


def start_of(slot: int) -> datetime:
    """When a slot's reading is due."""
    return datetime.fromtimestamp(slot * SLOT_S, UTC)


def interval_of(slot: int) -> datetime:
    """Where the interval of a slot's reading begins."""
    return start_of(slot) - BACK


def energy_kwh(slot: int) -> Decimal:
    """Energy of a slot's reading."""
    return Decimal(slot % _ENERGIES + 1) / 1000


def cost(slot: int) -> Decimal:
    """What a slot's reading must cost, to the last digit."""
    return energy_kwh(slot) * PRICE


def reading(slot: int) -> bytes:
    """A slot's reading as it is put into the readings stream."""
    document = {
        "meter_id": NAME,
        "interval_start": interval_of(slot).isoformat(),
        "interval_s": SLOT_S,
        "energy_kwh": float(energy_kwh(slot)),
    }
    return enclose(json.dumps(document).encode(), NAME)


def contract() -> bytes:
    """The contract of the canary's meter."""
    document = {
        "meter_id": NAME,
        "tenant": NAME,
        "site_path": "/".join([NAME] * 4),
        "timezone": "UTC",
        "assignments": [{"tariff_id": NAME, "valid_from": "2000-01-01"}],
    }
    return json.dumps(document).encode()


def tariff() -> bytes:
    """The tariff of the canary's meter: energy at one price."""
    document = {
        "tariff_id": NAME,
        "version": "1",
        "name": "Canary: one price, nothing else",
        "currency": CURRENCY,
        "valid_from": "2000-01-01",
        "energy": {"periods": {"all": [{"price": str(PRICE)}]}},
    }
    return json.dumps(document).encode()


def looked_for(slot: int) -> range:
    """The slots whose costs are looked for when a slot's reading is published."""
    return range(slot - LOOKBACK, slot)


def days_of(slots: Iterable[int]) -> list[str]:
    """Partitions of the lake in which costs of slots lie."""
    return sorted({f"{interval_of(slot):%Y-%m-%d}" for slot in slots})


def judged(rows: Iterable[Mapping[str, str | None]], slot: int, now: datetime) -> Finding:
    """What rows of `costs` (interval_start, energy_kwh, cost, currency; each reading and revision once) say."""
    seen: dict[int, tuple[Decimal, Decimal, set[str | None]]] = {}
    for row in rows:
        start = datetime.fromisoformat(str(row["interval_start"])).replace(tzinfo=UTC)
        number = slot_of(start + BACK)
        energy, amount, currencies = seen.get(number, (Decimal(0), Decimal(0), set()))
        seen[number] = (
            energy + Decimal(str(row["energy_kwh"])),
            amount + Decimal(str(row["cost"])),
            currencies | {row["currency"]},
        )
    found = {number: sums for number, sums in seen.items() if number in looked_for(slot)}
    wrong = tuple(n for n, sums in sorted(found.items()) if sums != (energy_kwh(n), cost(n), {CURRENCY}))
    newest = max(found, default=slot - LOOKBACK)
    return Finding((now - start_of(newest)).total_seconds(), wrong, len(found))
