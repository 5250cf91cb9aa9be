"""Our bills against eeco where it covers the rule: time of use, chronological tiers, demand, fixed charges.

Left out, for eeco differs without a reason: TOU demand tiers (it looks at the overall peak), tier limits with decimals
(it cuts them), an interval that jumps over a tier (it forgets it).
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from flink_job.dataflow.environment import PROJECT
from tests.harness.jobs import SAMPLES, command

PYTHON = PROJECT / ".venv-oracle" / "bin" / "python"
DRIVER = Path(__file__).parent / "eeco_bill.py"
TIER_KWH = 6_000
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TARIFF = {
    "tariff_id": "eeco",
    "version": "1",
    "currency": "USD",
    "valid_from": "2018-01-01",
    "tier_rule": "chronological",
    "calendar": {
        "days": [
            {
                "on": EVERY_DAY[:5],
                "bands": [
                    {"from": "00:00", "period": "low"},
                    {"from": "08:00", "period": "high"},
                    {"from": "20:00", "period": "low"},
                ],
            },
            {"on": EVERY_DAY[5:], "bands": [{"from": "00:00", "period": "low"}]},
        ]
    },
    "energy": {
        "periods": {
            "low": [{"price": "0.08", "max": str(TIER_KWH)}, {"price": "0.11"}],
            "high": [{"price": "0.19", "max": str(TIER_KWH)}, {"price": "0.26"}],
        }
    },
    "demand": {"window_s": 900, "flat": [{"price": "8.5"}], "periods": {"high": [{"price": "3.25"}]}},
    "fixed": [{"name": "customer", "amount": "40", "per": "month"}],
}


def row(
    kind: str, name: str, charge: float, days: tuple[int, int], hours: tuple[int, int], limit: float = 0
) -> dict[str, Any]:
    return {
        "utility": "electric",
        "type": kind,
        "assessed": "monthly",
        "name": name,
        "basic_charge_limit": limit,
        "month_start": 1,
        "month_end": 12,
        "weekday_start": days[0],
        "weekday_end": days[1],
        "hour_start": hours[0],
        "hour_end": hours[1],
        "charge": charge,
    }


def eeco_rows() -> list[dict[str, Any]]:
    """The same tariff in eeco's table."""
    week, weekend, all_day = (0, 4), (5, 6), (0, 24)
    energy = [
        row("energy", f"{name}{number}", price, days, hours, limit)
        for limit, low, high in ((0, 0.08, 0.19), (TIER_KWH, 0.11, 0.26))
        for number, (name, price, days, hours) in enumerate(
            (
                ("night", low, week, (0, 8)),
                ("day", high, week, (8, 20)),
                ("evening", low, week, (20, 24)),
                ("weekend", low, weekend, all_day),
            )
        )
    ]
    demand = [row("demand", "flat", 8.5, (0, 6), all_day), row("demand", "high", 3.25, week, (8, 20))]
    return [*energy, *demand, row("customer", "customer", 40, (0, 6), all_day)]


def test_every_charge_of_every_month(tmp_path: Path) -> None:
    with gzip.open(SAMPLES / "year.csv.gz", "rt") as lines:
        kwh = np.array([float(r["kwh"]) for r in csv.DictReader(lines) if r["meter_id"] == "metal-works"])
    days = [(date(2018 + (m == 12), m % 12 + 1, 1) - date(2018, m, 1)).days for m in range(1, 13)]
    parts = np.split(kwh * 4, np.cumsum(np.array(days) * 96)[:-1])
    months = [
        {"start": f"2018-{m:02d}-01", "end": f"{2018 + (m == 12)}-{m % 12 + 1:02d}-01", "kw": part.tolist()}
        for m, part in enumerate(parts, start=1)
    ]
    case = json.dumps({"tariff": eeco_rows(), "months": months})
    done = subprocess.run([PYTHON, DRIVER], input=case, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path / "tariff.json").write_text(json.dumps(TARIFF))
    command(
        "rate", "--tariff", tmp_path / "tariff.json", "--readings", SAMPLES / "year.csv.gz", "--timezone", "Etc/GMT-1",
        "--out", tmp_path / "out",
    )  # fmt: skip
    bills = [b for b in csv.DictReader((tmp_path / "out" / "bills.csv").open()) if b["meter_id"] == "metal-works"]
    for bill, theirs in zip(bills, json.loads(done.stdout), strict=True):
        for column, kind in {"energy_cost": "energy", "demand_cost": "demand", "fixed_cost": "customer"}.items():
            assert abs(float(bill[column]) - theirs[kind]) < 1e-4, (bill["cycle_start"], column, theirs)
