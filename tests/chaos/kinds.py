"""A load of many kinds of tariff, each with three supplies of the same bill, and what its bills and shares must be."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.kit.names import TARIFFS
from flink_job.io.kinesis import client
from flink_job.lake.database import query
from flink_job.tariffs.bill_lines import COST_COLUMNS
from tests.chaos.loads import Load
from tests.harness.jobs import command, write_records
from tests.harness.kind_plants import (
    FIRST,
    LOWERED,
    NAMES,
    OTHER_AMOUNTS,
    STARTS,
    Rows,
    arriving,
    batch,
    contract,
    contracts_of_parts,
    contracts_of_tree,
    documents,
    parts,
    quantities,
    record,
    spot_prices,
    tree,
)

if TYPE_CHECKING:
    from tests.chaos.run import Run

#: Every third kind whose costs in the stream are those of batch in any order.
METERS = [meter for meter, kind in NAMES.items() if kind not in OTHER_AMOUNTS | LOWERED][::3]
SHARED = ("energy_kwh", "energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")
_LINES = {"energy_cost": "energy", "demand_cost": "demand", "fixed_cost": "fixed", "export_credit": "export"}


def measured() -> dict[str, Rows]:
    """Return the quantities of all meters."""
    return {
        name: rows
        for meter in METERS
        for name, rows in {meter: quantities(meter), **parts(meter), **tree(meter)}.items()
    }


def contracts() -> list[bytes]:
    """Return the contracts of all meters, and the terms of supplies."""
    found = (
        document
        for meter in METERS
        for document in (contract(meter), *contracts_of_parts(meter), *contracts_of_tree(meter))
    )
    return [json.dumps(document).encode() for document in found]


def kinds(count: int) -> Load:
    """Four days of all meters, shuffled, some repeated and some corrected; at most `count` records."""
    return Load(arriving(measured())[:count], contracts=contracts())


def put_documents(run: Run) -> None:
    """Put the tariffs and prices into the registry; no reading has arrived yet."""
    registry = client("s3", run.fixture.url)
    for name, content in documents(METERS).items():
        registry.put_object(Bucket=run.fixture.names.registry, Key=TARIFFS + name, Body=content)


class KindsTruth:
    """The outcome of the load: each supply has the bill that batch rates for the energy of the meter alone."""

    def __init__(self, load: Load, folder: Path) -> None:
        distinct = len(set(load.records))
        self.counts = {"costed": distinct, "duplicates": len(load.records) - distinct, "unpriced": 0, "measured": 0}
        self.spot = spot_prices(_written(folder))

    def costs(self) -> dict[tuple[Any, ...], dict[str, Decimal]]:
        """Return amounts by charge of every (supply point, cycle start, tariff, version)."""
        found = {}
        for meter in METERS:
            *columns, total = (Decimal(amount).scaleb(-6) for amount in batch(meter, self.spot))
            amounts = dict(zip(COST_COLUMNS, columns, strict=True))
            bill = {_LINES.get(name, name): amount for name, amount in amounts.items() if name != "other_cost"}
            for supply in (meter, f"{meter}-supply", f"{meter}-plant"):
                found[supply, FIRST, meter, "1"] = {**bill, "cost": total}
        return found

    def lowered(self) -> set[tuple[Any, ...]]:
        """Return bills that depend on the order of arrival: none, as no correction lowers a peak."""
        return set()


def unshared(run: Run) -> list[str]:
    """Settle a copy of the lake; return supplies whose shares are not those that `rate` finds in batch."""
    work = run.fixture.work
    lake, tariffs = work / "settled", _written(work / "registry")
    shutil.rmtree(lake, ignore_errors=True)
    shutil.copytree(work / "lake", lake)
    terms = write_records(work / "contracts.ndjson", contracts())
    readings = [
        record(meter, start, amounts)
        for meter, rows in measured().items()
        for start, amounts in zip(STARTS.tolist(), rows, strict=True)
    ]
    command("settle", lake, "--contracts", terms, "--tariffs", tariffs)
    write_records(work / "readings.ndjson", readings)
    command("rate", "--contracts", terms, "--tariff", tariffs, "--readings", work / "readings.ndjson", "--out", work)
    right, got = _rated(work / "shares.csv"), _settled(lake)
    wrong = sorted({supply for supply, meter in right | got if right.get((supply, meter)) != got.get((supply, meter))})
    return [f"shares of {', '.join(wrong)} differ from those of batch"] if wrong else []


def _written(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in documents(METERS).items():
        (folder / name).write_bytes(content)
    return folder


Shared = dict[tuple[str, str], tuple[Decimal, ...]]


def _rated(path: Path) -> Shared:
    """Return the sums of a meter in a supply, from the file of `rate`; no row for a meter that bears nothing."""
    found: dict[tuple[str, str], Counter[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            sums = found.setdefault((row["supply_point"], row["meter_id"]), Counter())
            for name in SHARED:
                sums[name] += Decimal(row[name])  # type: ignore[assignment]
    return _some({key: tuple(Decimal(sums[name]) for name in SHARED) for key, sums in found.items()})


def _settled(lake: Path) -> Shared:
    sums = ", ".join(f"SUM({name})" for name in SHARED)
    _, rows = query(lake, f"SELECT supply_point, meter_id, {sums} FROM shared_costs GROUP BY ALL")
    return _some({row[:2]: row[2:] for row in rows})


def _some(shared: Shared) -> Shared:
    return {key: sums for key, sums in shared.items() if any(sums)}
