"""After settlement the KPIs of the days add up to the bill, at every level, in cost and in energy."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.batch.collect import arrow_schema
from flink_job.billing.adjustments import kept_rows, write_adjustments
from flink_job.billing.agreements import Book
from flink_job.billing.rerate import rerate
from flink_job.lake.database import query
from flink_job.metering.contract import Assignment, Contract
from flink_job.schemas import OUTPUTS
from flink_job.tariffs.registry import TariffRegistry, open_registry

HEAD = {"currency": "EUR", "valid_from": "2026-01-01"}
#: Madrid, UTC+2 in June.
MIDNIGHT = datetime(2026, 5, 31, 22)
ZERO = Decimal(0)


def flat(tariff_id: str, version: str, price: str, valid_from: str = "2026-01-01", **more: Any) -> dict[str, Any]:
    energy = {"periods": {"all": [{"price": price}]}}
    return {**HEAD, "tariff_id": tariff_id, "version": version, "valid_from": valid_from, "energy": energy, **more}


def cost(hour: int, kwh: str, amount: str, line: str = "l1", **more: Any) -> dict[str, Any]:
    """A row of `costs`: an hour of meter m after midnight of 1 June."""
    start = MIDNIGHT + timedelta(hours=hour)
    day = MIDNIGHT + timedelta(days=hour // 24)
    row = {column.name: ZERO for column in OUTPUTS["costs"].columns if column.glue.startswith("decimal")}
    names = {"tenant": "default", "meter_id": "m", "reading_id": f"{hour}", "site_path": f"f/p/{line}/m", "shard": "0"}
    times = {"interval_start": start, "interval_s": 3600, "day_start": day, "day_s": 86_400, "costed_at": start}
    tariff = {"tariff_id": "t", "tariff_version": "1", "cycle_start": "2026-06-01", "currency": "EUR"}
    amounts = {"energy_kwh": Decimal(kwh), "energy_cost": Decimal(amount), "cost": Decimal(amount)}
    return {
        **row,
        **names,
        **times,
        **tariff,
        **amounts,
        "record_position": f"{hour}",
        "revision": 0,
        "is_first": True,
        **more,
    }


def unpriced(hour: int, kwh: str, reason: str = "no_price", **more: Any) -> dict[str, Any]:
    start = MIDNIGHT + timedelta(hours=hour)
    record = {"meter_id": "m", "interval_start": f"{start.isoformat()}Z", "interval_s": 3600, "energy_kwh": float(kwh)}
    payload = b64encode(json.dumps({**record, **more}).encode()).decode()
    names = {"tenant": "default", "reason": reason, "reading_id": f"u{hour}{more}", "meter_id": "m", "payload": payload}
    where = {"shard": "1", "record_position": f"{hour}{more}", "unpriced_at": start}
    return {**names, **where, "interval_start": start, "interval_s": 3600}


def kpi(day: int, readings: int) -> dict[str, Any]:
    """A row of `kpis`: a day of June of meter m, in Madrid."""
    start = MIDNIGHT + timedelta(days=day - 1)
    names = {"tenant": "default", "kpi_id": f"{day}", "level": "meter", "entity": "m", "site_path": "f/p/l1/m"}
    window = {"window_start": start, "window_end": start + timedelta(days=1), "window_s": 86_400, "currency": "EUR"}
    counts = {"day_start": start, "day_s": 86_400, "readings": readings, "expected_readings": 24}
    return {**names, **window, **counts}


class Site:
    """A lake with a meter, its contract and its tariffs."""

    def __init__(self, folder: Path, tariffs: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> None:
        self.lake, books = folder / "lake", folder / "tariffs"
        for name, rows in tables.items():
            (self.lake / name).mkdir(parents=True)
            table = pa.Table.from_pylist(rows, schema=arrow_schema(OUTPUTS[name]))
            pq.write_table(table, self.lake / name / "part.parquet")
        books.mkdir()
        for number, document in enumerate(tariffs):
            (books / f"{number}.json").write_text(json.dumps(document), encoding="utf-8")
        self.registry: TariffRegistry = open_registry(str(books))

    def settle(self, **terms: Any) -> None:
        assigned = (Assignment("t", date(2026, 1, 1)),)
        contract = Contract(
            "m", **{"site_path": "f/p/l1/m", "timezone": "Europe/Madrid", "assignments": assigned, **terms}
        )
        result = rerate(self.lake, Book({"m": contract}, self.registry))
        assert not result.problems
        folder = self.lake / "adjustments"
        folder.mkdir(exist_ok=True)
        write_adjustments(result.rows, folder, kept_rows(folder / "adjustments.parquet", lambda start, end: True))

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return query(self.lake, sql)[1]

    def days(self, level: str = "meter", columns: str = "cost") -> Mapping[tuple[int, str], tuple[Any, ...]]:
        """Columns of the local days of June 2026 by (day of June, entity)."""
        sql = f"SELECT window_start, entity, {columns} FROM kpis_1d WHERE level = '{level}' ORDER BY ALL"
        return {((row[0] - MIDNIGHT).days + 1, str(row[1])): row[2:] for row in self.ask(sql)}  # type: ignore[operator]

    def check(self) -> None:
        """Every grain and level of the KPIs adds up to the bills, in cost and in energy."""
        bills = self.ask("SELECT SUM(cost), SUM(energy_kwh), SUM(export_kwh) FROM bills")
        for view in ("kpis_15m", "kpis_1h", "kpis_1d"):
            for level in ("meter", "line", "process", "factory"):
                sql = f"SELECT SUM(cost), SUM(energy_kwh), SUM(export_kwh) FROM {view} WHERE level = '{level}'"
                assert self.ask(sql) == bills, (view, level)


def amounts(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def test_a_price_that_changed_retroactively_reaches_the_days(tmp_path: Path) -> None:
    """2 kWh on 1 June and 4 kWh on 2 June cost 0.10 in the stream; version 2, loaded later, is 0.25 from 2 June on.

    The days are 0.20 and 4 x 0.25 = 1.00 (0.20 and 0.40 before), the bill 1.20.
    """
    versions = [flat("t", "1", "0.10"), flat("t", "2", "0.25", "2026-06-02")]
    rows = [cost(1, "2", "0.20"), cost(25, "1", "0.10"), cost(47, "3", "0.30")]
    site = Site(tmp_path, versions, costs=rows)
    assert site.days() == {(1, "m"): amounts("0.2"), (2, "m"): amounts("0.4")}
    site.settle()
    assert site.days(columns="cost, energy_kwh") == {(1, "m"): amounts("0.2", "2"), (2, "m"): amounts("1.0", "4")}
    assert site.ask("SELECT tariff_version, energy_kwh, cost FROM bills ORDER BY 1") == [
        ("1", *amounts("2", "0.2")),
        ("2", *amounts("4", "1")),
    ]
    site.check()
    assert site.ask("SELECT SUM(readings) FROM kpis_1d WHERE level = 'meter'") == [(3,)]
    site.settle()
    site.check()
    assert site.ask("SELECT SUM(cost) FROM bills") == [amounts("1.2")]


def test_readings_and_corrections_that_the_stream_did_not_price_have_energy_and_cost(tmp_path: Path) -> None:
    """1 kWh at 0.10 is costed. Unpriced: its correction to 0.5 kWh, and 3 kWh on 2 June: 0.05 and 0.30."""
    waiting = [unpriced(1, "0.5", "no_tariff", revision=1), unpriced(30, "3")]
    site = Site(tmp_path, [flat("t", "1", "0.10")], costs=[cost(1, "1", "0.10")], unpriced=waiting)
    site.settle()
    columns = "cost, energy_kwh, readings"
    assert site.days(columns=columns) == {(1, "m"): (*amounts("0.05", "0.5"), 1), (2, "m"): (*amounts("0.3", "3"), 1)}
    assert site.ask("SELECT energy_kwh, cost, adjustment FROM bills") == [amounts("3.5", "0.35", "0.25")]
    site.check()


def test_adjustments_belong_to_the_line_of_the_reading(tmp_path: Path) -> None:
    """The meter moved from line l1 to l2 on 2 June. The price is 0.25 now: 2 x 0.25 on l1, 4 x 0.25 on l2."""
    rows = [cost(1, "2", "0.20"), cost(30, "4", "0.40", line="l2")]
    site = Site(tmp_path, [flat("t", "1", "0.25")], costs=rows)
    site.settle(site_path="f/p/l2/m")
    assert site.days("line") == {(1, "f/p/l1"): amounts("0.5"), (2, "f/p/l2"): amounts("1")}
    site.check()


def test_settled_days_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    """The first 2 kWh of the cycle cost 0.10, others 0.20. 2 June arrived first: the stream has 0.20 there and 0.40 for
    1 June; in order of time they are 0.20 and 0.40. The bill, 0.60, is the same and says why rows changed.
    """
    tiers = flat("t", "1", "0") | {"energy": {"periods": {"all": [{"price": "0.10", "max": "2"}, {"price": "0.20"}]}}}
    site = Site(tmp_path, [tiers], costs=[cost(1, "2", "0.40"), cost(30, "2", "0.20")])
    site.settle()
    assert site.days() == {(1, "m"): amounts("0.2"), (2, "m"): amounts("0.4")}
    assert site.ask("SELECT cost, adjustment FROM bills") == [amounts("0.6", "0")]
    assert site.ask("SELECT DISTINCT reason FROM adjustments") == [
        ("the bill is the same: its readings share it in order of time, not of arrival",)
    ]
    site.check()


def test_nothing_is_adjusted_where_the_stream_is_exact(tmp_path: Path) -> None:
    site = Site(tmp_path, [flat("t", "1", "0.10")], costs=[cost(1, "2", "0.20"), cost(25, "1", "0.10")])
    site.settle()
    assert site.ask("SELECT COUNT(*) FROM adjustments") == [(0,)]
    site.check()


@pytest.mark.parametrize("first", ["0.123456", "0.123457"])
def test_rounding_is_not_adjusted(tmp_path: Path, first: str) -> None:
    """1 kWh costs 0.1234565: the bill is 0.246913, and which reading has the last digit depends on their order."""
    second = Decimal("0.246913") - Decimal(first)
    site = Site(tmp_path, [flat("t", "1", "0.1234565")], costs=[cost(1, "1", first), cost(30, "1", str(second))])
    site.settle()
    assert site.ask("SELECT COUNT(*) FROM adjustments") == [(0,)]
    assert site.ask("SELECT cost, adjustment FROM bills") == [amounts("0.246913", "0")]
    site.check()


@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/London", ("1", "24", "24", "23")), ("Asia/Kathmandu", ("21", "24", "24", "3"))]
)
def test_days_follow_the_zone_of_settlement(tmp_path: Path, zone: str, hours: tuple[str, ...]) -> None:
    """Three days of 1 kWh an hour from 22:00 UTC, costed by days of Madrid; 72 kWh, 7.20.

    The first hour begins at 23:00 in London and at 03:45 in Kathmandu. No day of Madrid is left, although the job
    emitted three; that of 4 June, in which it expected readings and none came, is.
    """
    emitted = [kpi(day, 24 if day < 4 else 0) for day in (1, 2, 3, 4)]
    rows = [cost(hour, "1", "0.10") for hour in range(72)]
    site = Site(tmp_path, [flat("t", "1", "0.10")], costs=rows, kpis=emitted)
    site.settle(timezone=zone)
    assert site.ask("SELECT SUM(cost), SUM(energy_kwh) FROM bills") == [amounts("7.2", "72")]
    found = site.ask("SELECT energy_kwh FROM kpis_1d WHERE level = 'meter' ORDER BY window_start")
    assert sorted(found) == sorted(amounts(kwh) for kwh in (*hours, "0"))
    site.check()


TIERED: dict[str, Any] = {"energy": {"periods": {"all": [{"price": "0.10", "max": "100"}, {"price": "0.30"}]}}}
DEMAND = {"window_s": 3600, "flat": [{"price": "10"}]}
DEARER = {"window_s": 3600, "flat": [{"price": "20"}]}


@pytest.mark.parametrize(
    ("before", "after", "kwh", "first", "rest", "second_june"),
    [
        # 24 x 0.10 + 72.5 x 0.20.
        (flat("t", "1", "0.10"), flat("u", "1", "0.20"), "1", "2.4", "14.5", "4.8"),
        # Tiers are prorated by days: 100 kWh / 30 at 0.10, the other 20.666667 of 24 kWh at 0.30.
        (flat("t", "1", "0", **TIERED), flat("u", "1", "0.20"), "1", "6.533333", "14.5", "4.8"),
        # 48 x 0.10 + 2 kW x 10 / 30; 145 x 0.20 + 2 kW x 20 x 29 / 30, the demand with the first reading.
        (
            flat("t", "1", "0.10", demand=DEMAND),
            flat("u", "1", "0.20", demand=DEARER),
            "2",
            "5.466667",
            "67.666667",
            "48.266667",
        ),
    ],
    ids=["flat", "tiers", "demand"],
)
def test_a_contract_that_is_changed_from_a_date_in_the_past(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], kwh: str, first: str, rest: str, second_june: str
) -> None:
    """96 hours from 1 June, an hour more on 5 June, and a correction to half of 3 June, 10:00, were costed under one
    tariff. Since then the contract has another one from 2 June.
    """
    rows = [cost(hour, kwh, "0.10") for hour in range(97)]
    rows.append(cost(58, f"-{Decimal(kwh) / 2}", "0", revision=1, is_first=False, reading_id="c", record_position="c"))
    site = Site(tmp_path, [before, after], costs=rows)
    site.settle(assignments=(Assignment("t", date(2026, 1, 1)), Assignment("u", date(2026, 6, 2))))
    assert site.ask("SELECT tariff_id, cost FROM bills ORDER BY 1") == [("t", Decimal(first)), ("u", Decimal(rest))]
    found = site.days()
    assert (found[1, "m"], found[2, "m"]) == (amounts(first), amounts(second_june))
    assert sum(row[0] for row in found.values()) == Decimal(first) + Decimal(rest)
    site.check()


def test_a_day_without_readings_has_its_fixed_charges(tmp_path: Path) -> None:
    """30 EUR a month and 21 % tax: 1.21 on each of the 30 days of June. An hour on 2 June and the last of 4 June have
    readings; the lake ends there, so four days are charged: 4.84. Before, 2 June had 1.21 x (1 + 5 / 24) of them.
    """
    vat = {"name": "VAT", "rate": "0.21", "base": ["energy", "fixed"]}
    more: dict[str, Any] = {"fixed": [{"name": "a", "amount": "30", "per": "month"}], "taxes": [vat]}
    site = Site(tmp_path, [flat("t", "1", "0", **more)], costs=[cost(28, "1", "0"), cost(95, "1", "0")])
    site.settle()
    days = {day: amounts("1.21") for day in ((1, "m"), (2, "m"), (3, "m"), (4, "m"))}
    assert site.days() == days
    found = site.days(columns="readings, expected_readings, completeness")
    assert found == {(1, "m"): (0, 24, 0), (2, "m"): (1, 24, 1 / 24), (3, "m"): (0, 24, 0), (4, "m"): (1, 24, 1 / 24)}
    assert site.ask("SELECT fixed_cost, tax, cost FROM bills") == [amounts("4", "0.84", "4.84")]
    site.check()
