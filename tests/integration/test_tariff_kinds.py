"""Every kind of tariff through the job: shuffled, repeated and corrected, the stream's costs are the bill of batch.

Each is the tariff of a meter, and of a supply point whose two parts add up to the same energy, so its bill is the same.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.lake.database import query
from flink_job.metering.units import to_micro
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.series import read_series
from tests.harness.jobs import run_files, write_records
from tests.harness.kinds import KINDS, SETTLED

MADRID = ZoneInfo("Europe/Madrid")
#: A cycle of four days, over the change of season of one of the tariffs, with a weekend.
FIRST, END = date(2026, 3, 7), date(2026, 3, 11)
QUARTER_MS = 900_000
STARTS = np.arange(local_midnight_ms(FIRST, MADRID), local_midnight_ms(END, MADRID), QUARTER_MS)
CHANNELS = ("import", "export", "reactive_import", "reactive_export")
NAMES = {f"k{number}": kind for number, kind in enumerate(KINDS)}
#: Priced in order of arrival, or from day to day: settlement gives other amounts.
OTHER_AMOUNTS = {"tiers in order", "tiers per kW and day, in order", "net billing at sell prices"}
#: The tax of this one begins and ends outside the cycle.
NOT_PROVISIONAL = {"taxes with floor, validity and exemption"}
#: A correction may lower its demand.
CORRECTED = {"net billing by the hour, capped"}
#: What one part exports lowers the demand of the other, whose reading came before.
LOWERED = {"net billing by the hour, capped"}


def quantities(meter: str) -> list[tuple[Decimal, ...]]:
    """Imported, exported and reactive energies of each quarter hour, in Wh and varh."""
    rng = random.Random(meter)
    tops = (6000, 3000, 9000, 2000)
    return [tuple(Decimal(rng.randrange(top)) / 1000 for top in tops) for _ in STARTS]


def parts(meter: str) -> dict[str, list[tuple[Decimal, ...]]]:
    """The quantities of the two parts of a supply, which add up to those of the meter."""
    rng = random.Random(meter)
    first = [tuple(Decimal(rng.randrange(int(q * 1000) + 1)) / 1000 for q in row) for row in quantities(meter)]
    second = [tuple(a - b for a, b in zip(*both, strict=True)) for both in zip(quantities(meter), first, strict=True)]
    return {f"{meter}-a": first, f"{meter}-b": second}


def record(meter: str, start_ms: int, amounts: tuple[Decimal, ...], **more: Any) -> bytes:
    start = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat()
    values = dict(zip(CHANNELS, map(float, amounts), strict=True))
    return json.dumps(
        {"meter_id": meter, "interval_start": start, "interval_s": 900, "values": values, **more}
    ).encode()


def records() -> list[bytes]:
    """The readings of all meters, some repeated, some first with less energy and then corrected; shuffled."""
    rng = random.Random(5)
    found = []
    measured = {name: rows for meter in NAMES for name, rows in {meter: quantities(meter), **parts(meter)}.items()}
    for meter, rows in measured.items():
        for start_ms, amounts in zip(STARTS.tolist(), rows, strict=True):
            if rng.random() < 0.1:
                found.append(record(meter, start_ms, tuple(amount / 2 for amount in amounts)))
                found.append(record(meter, start_ms, amounts, revision=1))
            else:
                found += [record(meter, start_ms, amounts)] * (1 + (rng.random() < 0.1))
    rng.shuffle(found)
    return found


def contracts() -> list[bytes]:
    """Contracts of the meters, terms of the supplies and contracts of their parts; the terms come in between."""
    found = []
    for meter in NAMES:
        terms = contract(meter)
        named = {"timezone": "Europe/Madrid", "supply_point": f"{meter}-supply", "role": "part"}
        first, second = ({"meter_id": part, "site_path": f"f/p/l/{part}", **named} for part in parts(meter))
        supply = {key: value for key, value in terms.items() if key not in ("meter_id", "site_path")}
        found += [terms, first, {**supply, "supply_point": f"{meter}-supply"}, second]
    return [json.dumps(document).encode() for document in found]


def contract(meter: str) -> dict[str, Any]:
    power = KINDS[NAMES[meter]].get("contracted_power", {}).get("kw")
    assignment = {"tariff_id": meter, "valid_from": "2026-01-01", **({"contracted_kw": power} if power else {})}
    return {
        "meter_id": meter,
        "site_path": f"f/p/l/{meter}",
        "timezone": "Europe/Madrid",
        "cycle_starts": [str(FIRST), str(END)],
        "assignments": [assignment],
    }


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    tariffs = folder / "tariffs"
    tariffs.mkdir()
    for meter, kind in NAMES.items():
        (tariffs / f"{meter}.json").write_text(json.dumps({**KINDS[kind], "tariff_id": meter}))
    # The second file has the last day again, at other prices, and the days after it.
    halves = (STARTS[:300], STARTS[288:])
    for number, half in enumerate(halves):
        lines = [
            f"{datetime.fromtimestamp(ms / 1000, UTC).isoformat()},{(ms // QUARTER_MS + number) % 37 - 7}e-2"
            for ms in half
        ]
        (tariffs / f"spot.{number}.csv").write_text("from,price\n" + "\n".join(lines) + "\n")
    readings = write_records(folder / "readings.ndjson", records())
    run_files(readings, write_records(folder / "contracts.ndjson", contracts()), folder / "out", tariffs)
    return folder


@pytest.fixture(scope="module")
def streamed(lake: Path) -> dict[str, tuple[Any, ...]]:
    sums = ", ".join(f"SUM({column})" for column in (*COST_COLUMNS, "cost"))
    _, rows = query(
        lake / "out", f"SELECT supply_point, {sums}, BOOL_OR(provisional), COUNT(*) FROM costs GROUP BY ALL"
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("meter", NAMES)
def test_costs_of_the_stream_are_the_bill(meter: str, lake: Path, streamed: dict[str, tuple[Any, ...]]) -> None:
    kind = NAMES[meter]
    *amounts, provisional, _ = streamed[meter]
    is_settled = (kind in SETTLED and kind not in NOT_PROVISIONAL) or kind in CORRECTED
    assert provisional is is_settled
    if kind not in OTHER_AMOUNTS:
        assert [to_micro(amount) for amount in amounts] == batch(meter, lake)


@pytest.mark.parametrize("meter", NAMES)
def test_costs_of_the_parts_of_a_supply_are_the_bill_of_their_sum(
    meter: str, lake: Path, streamed: dict[str, tuple[Any, ...]]
) -> None:
    *amounts, provisional, _ = streamed[f"{meter}-supply"]
    if NAMES[meter] in LOWERED:
        assert provisional
    elif NAMES[meter] not in OTHER_AMOUNTS:
        assert [to_micro(amount) for amount in amounts] == batch(meter, lake)


def batch(meter: str, lake: Path) -> list[int]:
    """Amounts of the bill by column, and its total [1e-6 currency]."""
    tariff = read_tariff({**KINDS[NAMES[meter]], "tariff_id": meter})
    columns = [np.array([to_micro(amount) for amount in column]) for column in zip(*quantities(meter), strict=True)]
    data = Intervals(STARTS, np.full(len(STARTS), QUARTER_MS), *columns)
    terms = BillingTerms(MADRID, cycle_starts=(FIRST, END))
    spot = read_series("spot", [str(path) for path in sorted((lake / "tariffs").glob("spot.1.csv"))], None)
    first = read_series("spot", [str(lake / "tariffs" / "spot.0.csv")], None)
    keep = first.start_ms < spot.start_ms[0]
    series = type(spot)(
        "spot",
        np.append(first.start_ms[keep], spot.start_ms),
        np.append(first.end_ms[keep], spot.end_ms),
        np.append(first.price_e9[keep], spot.price_e9),
    )
    (bill,) = rate_history(versions_in_force([tariff]), terms, data, {"spot": series}).bills
    return [*(sum(bill.lines[line] for line in lines) for lines in COST_COLUMNS.values()), bill.total]
