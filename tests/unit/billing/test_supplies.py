"""`rate --contracts` and `shares`: bills of supply points from files, and their shares."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from flink_job.metering.zones import local_midnight_ms
from tests.harness.plants import MADRID
from tests.unit.supplies.test_shares import TARIFF

ASSIGNED = [{"tariff_id": "t", "valid_from": "2026-01-01"}]
#: kWh of three hours of 20 March: the example of the documentation.
EXAMPLE = {"main": (10, 40, 20), "m1": (6, 10, 20), "m2": (2, 4, 0), "m3": (1, 20, 0)}
UPSTREAM = {"m2": "m1"}


def contract(meter: str, role: str, **fields: Any) -> dict[str, Any]:
    place = {"meter_id": meter, "site_path": f"plant/{meter}", "timezone": "Europe/Madrid"}
    return {**place, "supply_point": "sp-1", "role": role, **fields}


def write(folder: Path, records: list[dict[str, Any]], document: dict[str, Any] = TARIFF) -> None:
    (folder / "tariffs").mkdir(exist_ok=True)
    (folder / "tariffs" / "t.json").write_text(json.dumps(document))
    (folder / "contracts.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    terms = {"supply_point": "sp-1", "timezone": "Europe/Madrid", "assignments": ASSIGNED}
    subs = [contract(m, "sub", **({"upstream": UPSTREAM[m]} if m in UPSTREAM else {})) for m in ("m1", "m2", "m3")]
    write(tmp_path, [terms, contract("main", "main"), *subs])
    lines = [
        f"{meter},2026-03-20T{hour:02}:00:00,3600,{kwh}"
        for meter, energies in EXAMPLE.items()
        for hour, kwh in enumerate(energies, start=8)
    ]
    (tmp_path / "readings.csv").write_text("meter_id,ts,interval_s,kwh\n" + "\n".join(lines) + "\n")
    return tmp_path


def run(folder: Path, *options: str, readings: str = "readings.csv", fails: bool = False) -> str:
    inputs = ("--readings", str(folder / readings), "--contracts", str(folder / "contracts.ndjson"))
    command = (
        ("rate", "--tariff", str(folder / "tariffs"), "--out", str(folder / "out"))
        if options[:1] != ("shares",)
        else ("shares", "--tariffs", str(folder / "tariffs"))
    )
    answer = CliRunner().invoke(app, [*command, *inputs, *(o for o in options if o != "shares")])
    assert (answer.exit_code != 0) == fails, answer.output
    return answer.output


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_example_of_the_documentation_from_files(plant: Path) -> None:
    """70 kWh, 40 kW: 7 + 40 + 14 + 6.10; m3 was half of the peak and pays 28.93 of it (derived in test_shares)."""
    shown = run(plant)
    (bill,) = rows(plant / "out" / "bills.csv")
    assert (bill["supply_point"], bill["energy_kwh"], bill["cost"]) == ("sp-1", "70.000000", "67.100000")
    shares = {row["meter_id"]: row["cost"] for row in rows(plant / "out" / "shares.csv")}
    assert shares == {"m1": "16.500000", "m2": "6.380000", "m3": "28.930000", "sp-1:rest": "15.290000"}
    assert [part for part in ("67.10", "28.93", "43.1%", "sp-1:rest") if part not in shown] == []


def test_shares_by_interval(plant: Path) -> None:
    """m3 in the second hour: 20 of 40 kWh. Energy 2.00, demand 20, fixed 20 x 0.20 = 4, tax 2.60."""
    run(plant, "--by", "interval")
    table = pq.read_table(plant / "out" / "shares.parquet").to_pylist()
    (row,) = (r for r in table if r["meter_id"] == "m3" and r["interval_start"].hour == 8)
    assert (row["interval_s"], str(row["local_date"]), row["site_path"]) == (3600, "2026-03-20", "plant/m3")
    charges = ("energy_kwh", "energy_cost", "demand_cost", "fixed_cost", "tax", "cost")
    assert [row[name] for name in charges] == [Decimal(x) for x in ("20", "2", "20", "4", "2.6", "28.6")]
    assert sum(r["cost"] for r in table) == Decimal("67.1")


def test_who_made_the_peak(plant: Path) -> None:
    """A second day has 5 kWh of m3 at 9: it was 15 kW above its usual power, and comes first."""
    with (plant / "readings.csv").open("a") as lines:
        lines.write("main,2026-03-21T09:00:00,3600,30\nm3,2026-03-21T09:00:00,3600,5\n")
    shown = [line for line in run(plant, "shares", "--peak").splitlines() if "m3" in line or "40.000" in line]
    assert any("15.000" in line and "5.000" in line for line in shown)


def test_a_meter_that_is_its_own_supply_has_the_bill_of_rate_without_contracts(plant: Path) -> None:
    """Every charge of bills.csv is the same, and the meter bears all of it."""
    place = {"meter_id": "main", "site_path": "plant/main", "timezone": "Europe/Madrid"}
    write(plant, [{**place, "assignments": ASSIGNED}])
    run(plant)
    (bill,) = rows(plant / "out" / "bills.csv")
    (share,) = rows(plant / "out" / "shares.csv")
    inputs = ["--readings", str(plant / "readings.csv"), "--tariff", str(plant / "tariffs" / "t.json")]
    answer = CliRunner().invoke(app, ["rate", *inputs, "--timezone", "Europe/Madrid", "--out", str(plant / "alone")])
    assert answer.exit_code == 0
    (alone,) = (row for row in rows(plant / "alone" / "bills.csv") if row["meter_id"] == "main")
    assert alone.pop("meter_id") == bill.pop("supply_point") == share["meter_id"]
    assert (alone, share["cost"]) == (bill, bill["cost"])


def test_a_faulty_supply_is_reported_and_the_others_are_billed(plant: Path) -> None:
    """m1 and m2 are upstream of each other in sp-1; `other` is a supply of its own."""
    records = [json.loads(line) for line in (plant / "contracts.ndjson").read_text().splitlines()]
    records[2]["upstream"] = "m2"
    place = {"meter_id": "other", "site_path": "plant/other", "timezone": "Europe/Madrid"}
    write(plant, [*records, {**place, "assignments": ASSIGNED}])
    with (plant / "readings.csv").open("a") as lines:
        lines.write("other,2026-03-20T08:00:00,3600,1\n")
    shown = run(plant)
    assert "supply point sp-1: upstream_cycle: m1 -> m2 -> m1" in shown
    assert [row["supply_point"] for row in rows(plant / "out" / "bills.csv")] == ["other"]


def test_submeters_that_measure_more_are_noted(plant: Path) -> None:
    with (plant / "readings.csv").open("a") as lines:
        lines.write("main,2026-03-21T09:00:00,3600,30\nm3,2026-03-21T09:00:00,3600,31\n")
    shown = run(plant)
    assert "sum_check: supply point sp-1: 1 row with negative energy" in shown
    flagged = [row for row in rows(plant / "out" / "shares.csv") if row["sum_check"] == "true"]
    assert [(row["meter_id"], row["energy_kwh"]) for row in flagged] == [("sp-1:rest", "-1.000000")]


def test_the_multiplier_of_a_contract_counts(plant: Path) -> None:
    """The main has a ratio of 2 from 20 March on: its 70 kWh are 140."""
    records = [json.loads(line) for line in (plant / "contracts.ndjson").read_text().splitlines()]
    records[1]["changes"] = [{"valid_from": "2026-03-20", "multiplier": 2}]
    write(plant, records)
    run(plant)
    assert rows(plant / "out" / "bills.csv")[0]["energy_kwh"] == "140.000000"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--by", "year"), "--by year"),
        (("shares",), "give --peak"),
        (("shares", "--peak", "--cycle", "2020-01-01"), "2020"),
    ],
)
def test_what_cannot_be_done_is_explained(plant: Path, options: tuple[str, ...], problem: str) -> None:
    assert problem in run(plant, *options, fails=True)


#: Every kind of charge, without tiers.
EVERY = {
    **TARIFF,
    "calendar": {
        "days": [
            {
                "on": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                "bands": [{"from": "00:00", "period": "night"}, {"from": "08:00", "period": "day"}],
            }
        ]
    },
    "energy": {"periods": {"night": [{"price": "0.07"}], "day": [{"price": "0.19"}]}},
    "export": {"prices": {"*": "0.03"}},
    "demand": {"window_s": 900, "flat": [{"price": "3.7"}]},
    "reactive": {"free_share": "0.33", "bands": [{"cos_phi_below": "1", "price": "0.04"}]},
    "minimum": [{"amount": "20000", "per": "month"}],
    "taxes": [{"name": "tax", "rate": "0.10", "base": ["energy", "demand", "fixed", "reactive", "minimum", "export"]}],
}
#: Shares by interval as DOUBLE, from readings, prices and the tree alone.
RECOMPUTED = """
WITH r AS (
  SELECT meter_id, ts, GREATEST(kwh, 0) AS kwh, GREATEST(-kwh, 0) AS out_kwh, kvarh FROM readings
),
net AS (
  SELECT r.meter_id, r.ts, r.kwh - COALESCE(SUM(b.kwh), 0) AS kwh, r.out_kwh - COALESCE(SUM(b.out_kwh), 0) AS out_kwh,
    r.kvarh - COALESCE(SUM(b.kvarh), 0) AS kvarh
  FROM r LEFT JOIN tree AS t ON t.upstream = r.meter_id LEFT JOIN r AS b ON b.meter_id = t.meter_id AND b.ts = r.ts
  GROUP BY r.meter_id, r.ts, r.kwh, r.out_kwh, r.kvarh
),
main AS (
  SELECT ts, kwh, out_kwh, kvarh, CASE WHEN hour(to_timestamp(ts / 1000) AT TIME ZONE 'Europe/Madrid') < 8
    THEN 'night' ELSE 'day' END AS period
  FROM r WHERE meter_id = 'main'
),
month AS (
  SELECT SUM(kwh) AS kwh, SUM(kvarh) AS kvarh, MAX(kwh) * 4 AS kw, ARG_MAX(ts, kwh) AS peak_ts,
    SUM(CASE WHEN period = 'night' THEN 0.07 ELSE 0.19 END * kwh) AS energy, 0.03 * SUM(out_kwh) AS credit
  FROM main
),
-- Reactive energy above 33 % of the energy of each TOU period.
excess AS (
  SELECT period, 0.04 * GREATEST(SUM(kvarh) - 0.33 * SUM(kwh), 0) / SUM(kvarh) AS price FROM main GROUP BY period
),
charged AS (
  SELECT n.meter_id, n.ts, n.kwh,
    CASE WHEN m.period = 'night' THEN 0.07 ELSE 0.19 END * n.kwh AS energy,
    CASE WHEN n.ts = month.peak_ts THEN 3.7 * 4 * n.kwh ELSE 0 END AS demand,
    14 * n.kwh / month.kwh AS fixed,
    excess.price * n.kvarh AS reactive,
    -0.03 * n.out_kwh AS credit
  FROM net AS n JOIN main AS m USING (ts) JOIN excess USING (period) CROSS JOIN month
),
-- What is missing to the minimum, by the charges of each interval and then of each meter; a credit counts as none.
slot AS (
  SELECT ts, GREATEST(SUM(energy + demand + fixed + reactive + credit), 0) AS charge,
    SUM(GREATEST(energy + demand + fixed + reactive + credit, 0)) AS charges
  FROM charged GROUP BY ts
),
missing AS (
  SELECT (20000 - (SELECT SUM(energy + demand + fixed + credit) FROM charged)) / SUM(charge) AS share FROM slot
),
with_minimum AS (
  SELECT *,
    share * charge * GREATEST(energy + demand + fixed + reactive + credit, 0) / GREATEST(charges, 1e-9) AS minimum
  FROM charged JOIN slot USING (ts) CROSS JOIN missing
)
SELECT CASE WHEN meter_id = 'main' THEN 'sp-1:rest' ELSE meter_id END AS meter_id, ts, kwh, energy, demand, fixed,
  reactive, credit, minimum, 0.10 * (energy + demand + fixed + reactive + credit + minimum) AS tax
FROM with_minimum
"""


def test_shares_of_a_month_equal_a_recomputation_in_sql(tmp_path: Path) -> None:
    """20 submeters two deep and a main, March at quarter hours, each kind of charge.

    The SQL does not round: its rows differ by less than a unit of 1e-6 for each division of an amount, of which there
    are up to four, and of the amounts that a minimum or tax is computed from.
    """
    count = _random_month(tmp_path)
    run(tmp_path, "--by", "interval", readings="readings.parquet")
    connection = duckdb.connect()
    for name in ("readings", "tree", "out/shares"):
        connection.execute(f"CREATE VIEW {Path(name).name} AS FROM '{tmp_path / name}.parquet'")
    differences = connection.execute(
        f"""
        SELECT COUNT(*), COUNT(s.meter_id), COUNT(e.meter_id), MAX(ABS(s.energy_kwh - e.kwh)),
          MAX(GREATEST(ABS(energy_cost - energy), ABS(demand_cost - demand), ABS(fixed_cost - fixed))),
          MAX(GREATEST(ABS(reactive_cost - reactive), ABS(export_credit - credit))),
          MAX(GREATEST(ABS(minimum_cost - minimum), ABS(s.tax - e.tax)))
        FROM shares AS s FULL JOIN ({RECOMPUTED}) AS e
          ON s.meter_id = e.meter_id AND epoch_ms(s.interval_start) = e.ts
        """
    ).fetchone()
    assert differences is not None
    assert differences[:3] == (count, count, count)
    assert differences[3] < 1e-9
    assert max(map(float, differences[4:6])) < 5e-6
    assert float(differences[6]) < 2e-5
    (bill,) = rows(tmp_path / "out" / "bills.csv")
    shares = connection.execute("SELECT SUM(cost) FROM shares").fetchone()
    assert shares == (Decimal(bill["cost"]),)


def _random_month(folder: Path) -> int:
    """Write contracts, tariff, readings and the upstream meter of each submeter; return the number of readings."""
    rng = np.random.default_rng(7)
    start, end = (local_midnight_ms(day, MADRID) for day in (date(2026, 3, 1), date(2026, 4, 1)))
    ts = np.arange(start, end, 900_000)
    subs = [f"s{number:02}" for number in range(20)]
    upstream = {sub: "main" if number < 5 else subs[number % 5] for number, sub in enumerate(subs)}
    own = {meter: rng.integers(1, 3_000_000, (2, len(ts))) for meter in ("main", *subs)}
    for meter in reversed(subs):
        own[upstream[meter]] = own[upstream[meter]] + own[meter]
    exported = rng.random(len(ts)) < 0.05  # all meters export at the same time
    table = pa.concat_tables(
        pa.table(
            {
                "meter_id": [meter] * len(ts),
                "ts": ts,
                "interval_s": np.full(len(ts), 900),
                "kwh": np.where(exported, -1, 1) * energy[0] / 1e6,
                "kvarh": energy[1] / 1e6,
            }
        )
        for meter, energy in own.items()
    )
    pq.write_table(table, folder / "readings.parquet")
    behind = [contract(m, "sub", **({"upstream": up} if up != "main" else {})) for m, up in upstream.items()]
    write(folder, [contract("main", "main", assignments=ASSIGNED), *behind], EVERY)
    tree = pa.table({"meter_id": list(upstream), "upstream": list(upstream.values())})
    pq.write_table(tree, folder / "tree.parquet")
    return len(table)
