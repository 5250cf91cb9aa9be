"""Readings of the canary and their expected costs, as functions of a slot: the number of quarter hours since 1970.

Readings are dated `BACK` before their slot. Their partitions in the lake hold nothing else, so a check scans a few kB
however large the deployment is, and they never advance the job's watermark, which follows the real meters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flink_job.metering.envelope import enclose

#: Tenant, site, meter and tariff of the canary; reserved, no customer may use it (docs/use/tenants.md).
NAME = "canary"
#: CloudWatch namespace, dimension and names of the metrics.
NAMESPACE, DIMENSION = "Metering", "Deployment"
AGE, WRONG = "CanaryAge", "CanaryWrong"
TARIFF_KEY = f"tariffs/{NAME}/{NAME}.json"
SLOT_S = 900
BACK = timedelta(days=7305)
#: Number of slots before the present one whose costs are checked: six hours.
LOOKBACK = 24
PRICE, CURRENCY = Decimal("0.25"), "EUR"
#: Energies differ between slots, so that costs cannot be confused.
_ENERGIES = 997


@dataclass(frozen=True)
class Finding:
    """Result of a check.

    `age_s`: time since the newest costed reading was due [s]; without any, at least the lookback. `wrong`: slots with a
    wrong cost. `found`: number of slots with a cost.
    """

    age_s: float
    wrong: tuple[int, ...]
    found: int


def slot_of(when: datetime) -> int:
    """The slot that contains a time."""
    return int(when.timestamp()) // SLOT_S


def start_of(slot: int) -> datetime:
    """The time at which a slot's reading is due."""
    return datetime.fromtimestamp(slot * SLOT_S, UTC)


def interval_of(slot: int) -> datetime:
    """Start of the interval of a slot's reading."""
    return start_of(slot) - BACK


def energy_kwh(slot: int) -> Decimal:
    """Energy of a slot's reading [kWh]."""
    return Decimal(slot % _ENERGIES + 1) / 1000


def cost(slot: int) -> Decimal:
    """Exact cost of a slot's reading [CURRENCY]."""
    return energy_kwh(slot) * PRICE


def reading(slot: int) -> bytes:
    """The record of a slot's reading in the readings stream."""
    document = {
        "meter_id": NAME,
        "interval_start": interval_of(slot).isoformat(),
        "interval_s": SLOT_S,
        "energy_kwh": float(energy_kwh(slot)),
    }
    return enclose(json.dumps(document).encode(), NAME)


def contract() -> bytes:
    """The contract document of the canary's meter."""
    document = {
        "meter_id": NAME,
        "tenant": NAME,
        "site_path": "/".join([NAME] * 4),
        "timezone": "UTC",
        "assignments": [{"tariff_id": NAME, "valid_from": "2000-01-01"}],
    }
    return json.dumps(document).encode()


def tariff() -> bytes:
    """The tariff document of the canary's meter: one energy price."""
    document = {
        "tariff_id": NAME,
        "version": "1",
        "name": "Canary: one price, nothing else",
        "currency": CURRENCY,
        "valid_from": "2000-01-01",
        "energy": {"periods": {"all": [{"price": str(PRICE)}]}},
    }
    return json.dumps(document).encode()


def checked_slots(slot: int) -> range:
    """The slots whose costs are checked when a slot's reading is published."""
    return range(slot - LOOKBACK, slot)


def partitions_of(slots: Iterable[int]) -> list[str]:
    """The partitions of the lake (UTC dates) that hold the costs of slots."""
    return sorted({f"{interval_of(slot):%Y-%m-%d}" for slot in slots})


def evaluate(rows: Iterable[Mapping[str, str | None]], slot: int, now: datetime) -> Finding:
    """Check rows of `costs` (interval_start, energy_kwh, cost, currency; each reading and revision once)."""
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
    found = {number: sums for number, sums in seen.items() if number in checked_slots(slot)}
    wrong = tuple(n for n, sums in sorted(found.items()) if sums != (energy_kwh(n), cost(n), {CURRENCY}))
    newest = max(found, default=slot - LOOKBACK)
    return Finding((now - start_of(newest)).total_seconds(), wrong, len(found))
