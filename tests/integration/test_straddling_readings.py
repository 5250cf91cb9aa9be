"""Readings that straddle demand intervals: stream, settlement and oracle agree to the last digit in any order."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import command, run_files, write_records
from tests.harness.oracle import Oracle

EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HEAD = {"tariff_id": "dem", "currency": "EUR"}
STEADY = {"tariff_id": "steady", "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
NIGHT_AND_DAY = {
    "days": [{"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "night"}, {"from": "08:00", "period": "day"}]}]
}
#: The day begins within a demand interval of an hour.
HALF_PAST = {
    "days": [{"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "night"}, {"from": "08:30", "period": "day"}]}]
}
#: Start after midnight and length of the readings by meter [s].
RHYTHMS = {
    "border": (0, 900),
    "ten": (0, 600),
    "late": (420, 900),
    "odd": (77, 430),
    "even": (0, 300),
    "hours": (420, 3600),
}
FIRST = datetime(2026, 3, 30, 22, tzinfo=UTC)  # midnight in Madrid, a day before the cycle and the tariff version end


def tariffs() -> list[dict[str, Any]]:
    def version(name: str, valid_from: str, price: str) -> dict[str, Any]:
        demand = {"flat": [{"price": price, "max": "20"}, {"price": "3.333"}], "periods": {"day": [{"price": "1.7"}]}}
        energy = {"periods": {"night": [{"price": "0.10"}], "day": [{"price": "0.20"}]}}
        return {
            **HEAD,
            "version": name,
            "valid_from": valid_from,
            "calendar": NIGHT_AND_DAY,
            "energy": energy,
            "demand": demand,
        }

    hours = {**version("1", "2026-01-01", "2.5"), "tariff_id": "hours", "calendar": HALF_PAST}
    hours["demand"]["window_s"] = 3600
    steady = {
        **STEADY,
        "energy": {"periods": {"all": [{"price": "0.10"}]}},
        "demand": {"window_s": 900, "flat": [{"price": "10"}]},
    }
    return [version("1", "2026-01-01", "2.5"), version("2", "2026-04-02", "2.7"), hours, steady]


def contract(meter: str, tariff: str) -> bytes:
    assigned = [{"tariff_id": tariff, "valid_from": "2026-01-01"}]
    place = {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "Europe/Madrid", "billing_day": 1}
    return json.dumps({**place, "assignments": assigned}).encode()


def reading(meter: str, start: datetime, interval_s: int, kwh: Decimal, **more: Any) -> bytes:
    record = {
        "meter_id": meter,
        "interval_start": start.isoformat(),
        "interval_s": interval_s,
        "energy_kwh": float(kwh),
    }
    return json.dumps({**record, **more}).encode()


def rule(kw: int) -> dict[str, Any]:
    return {
        "rule_id": f"demand-above-{kw}",
        "title": f"Demand above {kw} kW",
        "scope": {"meters": ["steady-ten", "steady-late"]},
        "signal": "demand_kw",
        "severity": "major",
        "when": f"> {kw}",
        "horizon": "365d",
    }


def steady() -> list[bytes]:
    """6 kW for a day, from ten-minute readings and from quarter hours that begin at 00:07."""
    found = []
    for meter, offset_s, interval_s in (("steady-ten", 0, 600), ("steady-late", 420, 900)):
        starts = (FIRST + timedelta(seconds=offset_s + n * interval_s) for n in range(86_400 // interval_s))
        found += [reading(meter, start, interval_s, Decimal(interval_s) / 600) for start in starts]
    return found


def records() -> list[bytes]:
    """Three days with repeats and with corrections that raise the energy."""
    rng, found = random.Random(5), []
    for meter, (offset_s, interval_s) in RHYTHMS.items():
        for n in range(3 * 86_400 // interval_s):
            start = FIRST + timedelta(seconds=offset_s + n * interval_s)
            kwh = Decimal(rng.randrange(0, 9_000_001)) / 1_000_000
            found.append(reading(meter, start, interval_s, kwh))
            if rng.random() < 0.1:
                found.append(found[-1])
            if rng.random() < 0.1:
                found.append(reading(meter, start, interval_s, kwh + Decimal("1.234567"), revision=1))
    return found


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    found = Oracle(contracts(), tariffs())
    for record in [*records(), *steady()]:
        found.add(json.loads(record))
    return found


def contracts() -> list[bytes]:
    steady = (contract(meter, "steady") for meter in ("steady-ten", "steady-late"))
    return [*(contract(meter, "hours" if meter == "border" else "dem") for meter in RHYTHMS), *steady]


@pytest.fixture(scope="module", params=["in order", "shuffled"])
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straddling")
    (folder / "tariffs").mkdir()
    for document in tariffs():
        (folder / "tariffs" / f"{document['tariff_id']}-{document['version']}.json").write_text(json.dumps(document))
    sent = [*records(), *steady()]
    if request.param == "shuffled":
        random.Random(3).shuffle(sent)
    files = write_records(folder / "readings.ndjson", sent), write_records(folder / "contracts.ndjson", contracts())
    (folder / "rules.json").write_text(json.dumps({"rules": [rule(5), rule(7)]}))
    run_files(*files, folder / "out", folder / "tariffs", folder / "rules.json")
    return folder


def test_bills_are_equal_to_the_independent_computation(lake: Path, oracle: Oracle) -> None:
    """Each charge of every meter, cycle and tariff version; the steady load of 6 kW costs 144 x 0.10 + 6 x 10."""
    sql = """
      SELECT meter_id, CAST(cycle_start AS VARCHAR), tariff_id, tariff_version,
        SUM(energy_cost), SUM(demand_cost), SUM(cost)
      FROM costs GROUP BY ALL
    """
    found = {row[:4]: row[4:] for row in query(lake / "out", sql)[1]}
    right = {
        (meter, str(cycle), tariff, version): (amounts["energy"], amounts["demand"], amounts["cost"])
        for (meter, cycle, tariff, version), amounts in oracle.costs().items()
    }
    assert found == right
    for meter in ("steady-ten", "steady-late"):
        assert found[meter, "2026-03-01", "steady", "1"] == (Decimal("14.4"), 60, Decimal("74.4"))


def test_settlement_has_nothing_to_adjust(lake: Path) -> None:
    command("settle", lake / "out", "--contracts", lake / "contracts.ndjson", "--tariffs", lake / "tariffs")
    # Within a bill, the order of arrival decides which readings bear the demand: that is adjusted by quarter hour.
    # In the cycle of April, settlement continues the peaks of version 1 in version 2.
    bills = (
        "SELECT SUM(demand_cost) AS change FROM adjustments WHERE cycle_start < '2026-04-01' "
        "GROUP BY meter_id, cycle_start, tariff_id, tariff_version"
    )
    tables = query(lake / "out", f"SELECT COALESCE(SUM(ABS(change)), 0) FROM ({bills}) AS changes")
    assert tables[1] == [(0,)]


def test_readings_that_straddle_are_marked(lake: Path) -> None:
    """Of 144 ten-minute readings those at 10 and 40 minutes past; every quarter hour from 00:07 on.

    Of the hours, those over the two borders of TOU periods of each of three days.
    """
    sql = "SELECT meter_id, COUNT(*) FILTER (WHERE demand_estimated) FROM costs WHERE meter_id IN {} GROUP BY ALL"
    _, rows = query(lake / "out", sql.format(("steady-ten", "steady-late", "even", "hours")))
    assert {row[0]: row[1] for row in rows} == {"steady-ten": 48, "steady-late": 96, "even": 0, "hours": 6}


def test_a_steady_load_of_6_kw_is_above_5_and_never_above_7(lake: Path) -> None:
    _, rows = query(lake / "out", "SELECT DISTINCT rule_id FROM alerts")
    assert rows == [("demand-above-5",)]
