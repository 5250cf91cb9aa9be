"""Plants for each kind of tariff: the same energy as a meter, as two parts of a supply, and as a main with submeters.

So each of them has the same bill.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from flink_job.metering.units import to_micro
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.series import read_series
from tests.harness.kinds import KINDS

MADRID = ZoneInfo("Europe/Madrid")
#: A cycle of four days, over the change of season of one of the tariffs, with a weekend.
FIRST, END = date(2026, 3, 7), date(2026, 3, 11)
QUARTER_MS = 900_000
STARTS = np.arange(local_midnight_ms(FIRST, MADRID), local_midnight_ms(END, MADRID), QUARTER_MS)
CHANNELS = ("import", "export", "reactive_import", "reactive_export")
#: Kinds by the name of their meter, which is that of the tariff.
NAMES = {f"k{number}": kind for number, kind in enumerate(KINDS)}
#: Priced in order of arrival, or from day to day: settlement gives other amounts.
OTHER_AMOUNTS = {"tiers in order", "tiers per kW and day, in order", "net billing at sell prices"}
#: What one part exports lowers the demand of the other, whose reading came before.
LOWERED = {"net billing by the hour, capped"}

Rows = list[tuple[Decimal, ...]]
"""Quantities of each quarter hour, in the order of CHANNELS [kWh, kvarh]."""


def quantities(meter: str) -> Rows:
    """Return the quantities of a meter, in whole Wh and varh."""
    rng = random.Random(meter)
    tops = (6000, 3000, 9000, 2000)
    return [tuple(Decimal(rng.randrange(top)) / 1000 for top in tops) for _ in STARTS]


def parts(meter: str) -> dict[str, Rows]:
    """Return the quantities of the two parts of a supply, which add up to those of the meter."""
    rng = random.Random(meter)
    first = _some_of(quantities(meter), rng)
    second = [tuple(a - b for a, b in zip(*both, strict=True)) for both in zip(quantities(meter), first, strict=True)]
    return {f"{meter}-a": first, f"{meter}-b": second}


def tree(meter: str) -> dict[str, Rows]:
    """Return the quantities of a main that measures the same as the meter, a submeter, and another behind that one."""
    rng = random.Random(f"{meter} tree")
    hall = _some_of(quantities(meter), rng)
    return {f"{meter}-main": quantities(meter), f"{meter}-hall": hall, f"{meter}-line": _some_of(hall, rng)}


def _some_of(rows: Rows, rng: random.Random) -> Rows:
    return [tuple(Decimal(rng.randrange(int(q * 1000) + 1)) / 1000 for q in row) for row in rows]


def record(meter: str, start_ms: int, amounts: tuple[Decimal, ...], **more: Any) -> bytes:
    """Return a reading of a quarter hour."""
    start = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat()
    values = dict(zip(CHANNELS, map(float, amounts), strict=True))
    return json.dumps(
        {"meter_id": meter, "interval_start": start, "interval_s": 900, "values": values, **more}
    ).encode()


def arriving(measured: Mapping[str, Rows]) -> list[bytes]:
    """Return the readings of meters, some repeated, some first with less energy and then corrected; shuffled."""
    rng = random.Random(5)
    found = []
    for meter, rows in measured.items():
        for start_ms, amounts in zip(STARTS.tolist(), rows, strict=True):
            if rng.random() < 0.1:
                found.append(record(meter, start_ms, tuple(amount / 2 for amount in amounts)))
                found.append(record(meter, start_ms, amounts, revision=1))
            else:
                found += [record(meter, start_ms, amounts)] * (1 + (rng.random() < 0.1))
    rng.shuffle(found)
    return found


def contract(meter: str) -> dict[str, Any]:
    """Return the contract of a meter alone."""
    power = KINDS[NAMES[meter]].get("contracted_power", {}).get("kw")
    assignment = {"tariff_id": meter, "valid_from": "2026-01-01", **({"contracted_kw": power} if power else {})}
    return {
        "meter_id": meter,
        "site_path": f"f/p/l/{meter}",
        "timezone": "Europe/Madrid",
        "cycle_starts": [str(FIRST), str(END)],
        "assignments": [assignment],
    }


def contracts_of_parts(meter: str) -> list[dict[str, Any]]:
    """Return the terms of the supply of two parts, between their contracts."""
    named = {"timezone": "Europe/Madrid", "supply_point": f"{meter}-supply", "role": "part"}
    first, second = ({"meter_id": part, "site_path": f"f/p/l/{part}", **named} for part in parts(meter))
    terms = {key: value for key, value in contract(meter).items() if key not in ("meter_id", "site_path")}
    return [first, {**terms, "supply_point": f"{meter}-supply"}, second]


def contracts_of_tree(meter: str) -> list[dict[str, Any]]:
    """Return the contracts of the main, which has the terms, and of the submeters."""
    supply = {"supply_point": f"{meter}-plant", "timezone": "Europe/Madrid"}
    main = {**contract(meter), "meter_id": f"{meter}-main", "site_path": "f/p/main", "role": "main", **supply}
    hall = {"meter_id": f"{meter}-hall", "site_path": f"f/p/l/{meter}", "role": "sub", **supply}
    line = {**hall, "meter_id": f"{meter}-line", "upstream": f"{meter}-hall"}
    return [line, hall, main]


def documents(meters: Iterable[str]) -> dict[str, bytes]:
    """Return the registry's files by name: the tariffs of meters, and prices.

    The second file of prices has the last day again, at other prices, and the days after it.
    """
    found = {f"{meter}.json": json.dumps({**KINDS[NAMES[meter]], "tariff_id": meter}).encode() for meter in meters}
    for number, half in enumerate((STARTS[:300], STARTS[288:])):
        lines = [
            f"{datetime.fromtimestamp(ms / 1000, UTC).isoformat()},{(ms // QUARTER_MS + number) % 37 - 7}e-2"
            for ms in half
        ]
        found[f"spot.{number}.csv"] = ("from,price\n" + "\n".join(lines) + "\n").encode()
    return found


def spot_prices(folder: Path) -> PriceSeries:
    """Return the prices in force of the files of `documents` in a folder."""
    first, latest = (read_series("spot", [str(folder / f"spot.{number}.csv")], None) for number in (0, 1))
    keep = first.start_ms < latest.start_ms[0]
    return PriceSeries(
        "spot",
        np.append(first.start_ms[keep], latest.start_ms),
        np.append(first.end_ms[keep], latest.end_ms),
        np.append(first.price_e9[keep], latest.price_e9),
    )


def batch(meter: str, spot: PriceSeries) -> list[int]:
    """Return the amounts of the bill of a meter by column of costs, and its total [1e-6 currency], in batch."""
    tariff = read_tariff({**KINDS[NAMES[meter]], "tariff_id": meter})
    columns = [np.array([to_micro(amount) for amount in column]) for column in zip(*quantities(meter), strict=True)]
    data = Intervals(STARTS, np.full(len(STARTS), QUARTER_MS), *columns)
    terms = BillingTerms(MADRID, cycle_starts=(FIRST, END))
    (bill,) = rate_history(versions_in_force([tariff]), terms, data, {"spot": spot}).bills
    return [*(sum(bill.lines[line] for line in lines) for lines in COST_COLUMNS.values()), bill.total]
