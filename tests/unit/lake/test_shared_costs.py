"""View `shared_costs`: at any time it adds up to the costs and adjustments, and its energy is that of the mains."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.batch.collect import arrow_schema
from flink_job.billing.agreements import Book
from flink_job.billing.settling import Settling
from flink_job.lake.database import query
from flink_job.lake.selection import EVERYTHING
from flink_job.metering.contract_document import parse_contract
from flink_job.schemas import COSTS
from flink_job.tariffs.registry import open_registry
from tests.harness.plants import ENERGY_AND_PEAK

MIDNIGHT = datetime(2026, 5, 31, 22)  # in Madrid
ZERO = Decimal(0)
MAIN = {"supply_point": "sp", "role": "main", "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}]}
SUB = {"supply_point": "sp", "role": "sub"}
METERS: dict[str, dict[str, Any]] = {"main": MAIN, "a": SUB, "b": {**SUB, "upstream": "a"}}
UPSTREAM = {"a": "main", "b": "a"}


def cost(meter: str, hour: int, kwh: Decimal, cost_of: Decimal, demand: Decimal = ZERO) -> dict[str, Any]:
    start = MIDNIGHT + timedelta(hours=hour)
    upstream = UPSTREAM.get(meter)
    return {
        **{column.name: ZERO for column in COSTS.columns if column.glue.startswith("decimal")},
        "tenant": "default",
        "meter_id": meter,
        "reading_id": f"{meter}{hour}",
        "site_path": f"f/p/l/{meter}",
        "supply_point": "sp",
        "role": METERS[meter]["role"],
        "upstream": upstream,
        "shard": meter,
        "upstream_path": f"f/p/l/{upstream}" if upstream else None,
        "interval_start": start,
        "interval_s": 3600,
        "day_start": MIDNIGHT,
        "day_s": 86_400,
        "costed_at": start,
        "tariff_id": "t",
        "tariff_version": "1",
        "tou_period": "all",
        "cycle_start": "2026-06-01",
        "currency": "EUR",
        "energy_kwh": kwh,
        "energy_cost": cost_of,
        "demand_cost": demand,
        "cost": cost_of + demand,
        "record_position": f"{hour}",
        "revision": 0,
        "is_first": True,
    }


class Plant:
    """A lake with a main and two submeters, one behind the other."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.folder, self.parts, self.peak = folder / "lake", folder, 0, ZERO
        (self.lake / "costs").mkdir(parents=True)
        (folder / "tariffs").mkdir()
        (folder / "tariffs" / "t.json").write_text(json.dumps(ENERGY_AND_PEAK), encoding="utf-8")

    def hours(self, first: int, *kwh: tuple[int, int, int]) -> None:
        """Add readings of the main, a and b; the stream charges energy, and demand as the peak rises."""
        rows = []
        for hour, energies in enumerate(kwh, first):
            for meter, energy in zip(METERS, map(Decimal, energies), strict=True):
                is_main = meter == "main"
                rise = max(energy - self.peak, ZERO) if is_main else ZERO
                self.peak += rise
                rows.append(cost(meter, hour, energy, energy / 10 if is_main else ZERO, rise))
        table = pa.Table.from_pylist(rows, schema=arrow_schema(COSTS))
        pq.write_table(table, self.lake / "costs" / f"part{self.parts}.parquet")
        self.parts += 1

    def settle(self) -> None:
        fixed = {"timezone": "Europe/Madrid"}
        contracts = {
            name: parse_contract(json.dumps({"meter_id": name, "site_path": f"f/p/l/{name}", **fixed, **fields}))
            for name, fields in METERS.items()
        }
        settling = Settling(self.lake, EVERYTHING, self.folder)
        result = settling.rate(Book(contracts, open_registry(str(self.folder / "tariffs"))))
        assert not result.problems
        settling.write(str(self.lake), result, datetime(2026, 7, 1, tzinfo=UTC))

    def check(self) -> None:
        """The law of the view, charge by charge."""
        names = ("energy_kwh", "energy_cost", "demand_cost", "cost")
        shares = self.ask(f"SELECT {', '.join(f'SUM({name})' for name in names)} FROM shared_costs")
        assert shares == self.ask(f"SELECT {', '.join(f'SUM({name})' for name in names)} FROM bills")

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return query(self.lake, sql)[1]

    @property
    def status(self) -> object:
        return self.ask("SELECT status FROM bills")[0][0]


def test_estimates_have_no_spikes(tmp_path: Path) -> None:
    """8 of 10 kWh, then 4 of 40: the bill so far is 5 + 40 = 45 for 50 kWh, 0.90 each, in both hours."""
    plant = Plant(tmp_path)
    plant.hours(0, (10, 8, 2), (40, 4, 4))
    plant.check()
    rows = plant.ask("SELECT meter_id, SUM(energy_kwh), SUM(cost) FROM shared_costs GROUP BY ALL ORDER BY 1")
    assert [(name, float(kwh), float(amount)) for name, kwh, amount in rows] == [  # type: ignore[arg-type]
        ("a", 6, 5.4),
        ("b", 6, 5.4),
        ("sp:rest", 38, 34.2),
    ]
    assert plant.status == "open"


def test_settled_shares_are_final_and_what_comes_later_is_the_rest(tmp_path: Path) -> None:
    """In the hour of the peak a bears 0 and b 4 of 40 kW: a 6 x 0.10 = 0.60, b 6 x 0.10 + 4 = 4.60."""
    plant = Plant(tmp_path)
    plant.hours(0, (10, 8, 2), (40, 4, 4))
    plant.settle()
    plant.check()
    shares = "SELECT meter_id, SUM(cost) FROM shared_costs GROUP BY ALL ORDER BY 1"
    settled = [("a", Decimal("0.6")), ("b", Decimal("4.6"))]
    assert plant.ask(shares) == [*settled, ("sp:rest", Decimal("39.8"))]
    plant.hours(2, (60, 60, 60))
    plant.check()
    # 60 kWh x 0.10 and 20 kW more, until the cycle is settled again.
    assert plant.ask(shares) == [*settled, ("sp:rest", Decimal("65.8"))]
    assert plant.status == "changed since settled"
    plant.settle()
    plant.check()
    assert plant.ask(shares)[1] == ("b", Decimal("66.6"))  # 66 kWh x 0.10 and the peak of 60 kW
    reasons = plant.ask("SELECT exact_cost, previous_cost FROM settlements ORDER BY exact_cost")
    assert reasons == [(Decimal(45), None), (Decimal(71), Decimal(45))]


@given(
    hours=st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=2, max_size=6),
    settled=st.sets(st.integers(0, 5)),
)
@settings(max_examples=10, deadline=None)
def test_the_shares_add_up_at_any_time(
    tmp_path_factory: pytest.TempPathFactory, hours: list[tuple[int, int, int]], settled: set[int]
) -> None:
    """Also where submeters measure more than the main, and nothing at all."""
    plant = Plant(tmp_path_factory.mktemp("plant"))
    for hour, kwh in enumerate(hours):
        plant.hours(hour, kwh)
        plant.check()
        if hour in settled:
            plant.settle()
            plant.check()


def test_an_estimate_is_flagged_by_the_day(tmp_path: Path) -> None:
    """a measured 8 kWh less than b in the first hour, 2 of 24 kWh more over both; then b measured 30 kWh more."""
    plant = Plant(tmp_path)
    plant.hours(0, (10, 0, 8), (40, 26, 16))
    flagged = "SELECT DISTINCT meter_id FROM shared_costs WHERE sum_check"
    assert plant.ask("SELECT COUNT(*) FROM shared_costs WHERE energy_kwh < 0") == [(1,)]
    assert plant.ask(flagged) == []
    plant.hours(2, (40, 0, 30))
    assert plant.ask(flagged) == [("a",)]
