"""Re-rating: the stream's costs and the adjustments add up to the exact bill."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flink_job.batch.collect import arrow_schema
from flink_job.lake.database import query
from flink_job.schemas import ADJUSTMENTS
from flink_job.tariffs.spain import spanish_tariff
from tests.harness.jobs import SAMPLES, command, run_files, write_records
from tests.harness.oracle import Oracle

HEAD = {"version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NIGHT_AND_DAY = {
    "days": [{"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "night"}, {"from": "08:00", "period": "day"}]}]
}


def tariffs() -> dict[str, dict[str, Any]]:
    """Tariffs that the stream cannot price to the end."""
    chronological = {
        **HEAD,
        "tariff_id": "chronological",
        "tier_rule": "chronological",
        "calendar": NIGHT_AND_DAY,
        "energy": {
            "periods": {
                "night": [{"price": "0.10", "max": "100"}, {"price": "0.20"}],
                "day": [{"price": "0.30", "max": "100"}, {"price": "0.50"}],
            }
        },
    }
    minimum = {
        **HEAD,
        "tariff_id": "minimum",
        "energy": {"periods": {"all": [{"price": "0.10"}]}},
        "minimum": [{"amount": "31", "per": "month"}],
    }
    banked = {
        **HEAD,
        "tariff_id": "banked",
        "tier_rule": "prorated",
        "energy": {"periods": {"all": [{"price": "0.10"}]}},
        "export": {"rule": "net_metering"},
    }
    power = {**HEAD, "tariff_id": "power", "demand": {"window_s": 900, "flat": [{"price": "3"}]}}
    spanish = spanish_tariff(
        "2.0TD",
        "peninsula",
        {
            "tariff_id": "spanish",
            "valid_from": "2026-01-01",
            "energy": {"P1": "0.20", "P2": "0.15", "P3": "0.10"},
            "power": {"P1": "28", "P2": "1.5"},
        },
    )
    return {document["tariff_id"]: document for document in (chronological, minimum, banked, power, spanish)}


def contract(meter: str, tariff: str, **assignment: Any) -> bytes:
    assigned = [{"tariff_id": tariff, "valid_from": "2026-01-01", **assignment}]
    return json.dumps(
        {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "Etc/UTC", "assignments": assigned}
    ).encode()


def behind(meter: str, supply_point: str) -> list[bytes]:
    """Records of a submeter without a tariff of its own: its contract, and the terms of its supply point."""
    place = {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "Etc/UTC"}
    terms = {"timezone": "Etc/UTC", "assignments": [{"tariff_id": "minimum", "valid_from": "2026-01-01"}]}
    records = ({**place, "supply_point": supply_point, "role": "sub"}, {"supply_point": supply_point, **terms})
    return [json.dumps(record).encode() for record in records]


def reading(meter: str, start: str, kwh: float, channel: str = "import", interval_s: int = 900) -> bytes:
    record = {"meter_id": meter, "interval_start": start, "interval_s": interval_s, "channel": channel}
    return json.dumps({**record, "energy_kwh": kwh}).encode()


def register(meter: str, start: str, kwh: float) -> bytes:
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 900, "register_kwh": kwh}).encode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bounded run and its re-rating."""
    folder = tmp_path_factory.mktemp("rerate")
    (folder / "tariffs").mkdir()
    for name, document in tariffs().items():
        (folder / "tariffs" / f"{name}.json").write_text(json.dumps(document))
    contracts = write_records(
        folder / "contracts.ndjson",
        [
            contract("order", "chronological"),
            contract("least", "minimum"),
            contract("bank", "banked"),
            contract("bank-dial", "banked"),
            contract("hourly", "power"),
            contract("workshop", "spanish", contracted_kw={"P1": "4.6", "P2": "4.6"}),
            *behind("behind", "supply"),
        ],
    )
    records = [
        # The day's 100 kWh arrive before the night's 60.
        reading("order", "2026-03-02T10:00:00Z", 100),
        reading("order", "2026-03-02T01:00:00Z", 60),
        reading("least", "2026-03-01T00:00:00Z", 20),
        reading("bank", "2026-03-01T00:00:00Z", 50),
        reading("bank", "2026-03-01T00:15:00Z", 30, "export"),
        *(
            register("bank-dial", f"2026-03-01T00:{minute}:00Z", kwh)
            for minute, kwh in (("00", 10), ("30", 25), ("15", 12))
        ),
        reading("hourly", "2026-03-01T12:00:00Z", 40, interval_s=3600),
        reading("workshop", "2026-03-01T12:00:00Z", 10),
        reading("behind", "2026-03-01T12:00:00Z", 10),
        # The last reading ends with March.
        reading("least", "2026-03-31T23:45:00Z", 0),
    ]
    output = folder / "out"
    run_files(write_records(folder / "readings.ndjson", records), contracts, output, folder / "tariffs")
    command("settle", output, "--contracts", contracts, "--tariffs", folder / "tariffs")
    return output


def bill(lake: Path, meter: str, columns: str) -> tuple[object, ...]:
    _, rows = query(lake, f"SELECT {columns} FROM bills WHERE meter_id = '{meter}'")
    (only,) = rows
    return only


def reason(lake: Path, meter: str) -> str:
    _, rows = query(lake, f"SELECT reason FROM adjustments WHERE meter_id = '{meter}'")
    return str(rows[0][0])


def test_tiers_fill_in_order_of_time(lake: Path) -> None:
    # In order of arrival: 100 x 0.30 + 60 x 0.20 = 42. In order of time: 60 x 0.10 + 40 x 0.30 + 60 x 0.50 = 48.
    assert bill(lake, "order", "cost, adjustment") == (Decimal("48.000000"), Decimal("6.000000"))
    assert reason(lake, "order") == "tiers fill in order of time, not of arrival"


def test_minimum_of_the_cycle(lake: Path) -> None:
    # 20 kWh x 0.10 = 2; the minimum of the cycle is 31, of which the stream has counted the time with readings only.
    assert bill(lake, "least", "energy_cost, other_cost, cost") == tuple(map(Decimal, ("2", "29", "31")))
    assert reason(lake, "least").endswith("h without readings")


def test_net_metering(lake: Path) -> None:
    # 50 kWh less 30 exported, x 0.10: in the stream as in settlement, as no energy is banked before.
    assert query(lake, "SELECT COUNT(*) FROM unpriced")[1] == [(0,)]
    assert bill(lake, "bank", "cost, adjustment") == (Decimal("2.000000"), Decimal("0"))
    # Reads of a register alike: 10 to 25 kWh, x 0.10.
    assert bill(lake, "bank-dial", "cost, adjustment") == (Decimal("1.500000"), Decimal("0"))
    assert query(lake, "SELECT DISTINCT provisional FROM costs WHERE meter_id = 'bank'")[1] == [(True,)]


def test_contracted_power_of_the_contract(lake: Path) -> None:
    # 1 March 2026 is a Sunday: 10 kWh x 0.10 = 1.00; 4.6 kW x 29.5 x 31/365 = 11.5252 -> 11.53.
    assert bill(lake, "workshop", "energy_cost, fixed_cost") == (Decimal("1"), Decimal("11.53"))
    # IEE 5.11269632 % of 12.53 = 0.6406 -> 0.64; IVA 21 % of 13.17 = 2.7657 -> 2.77.
    assert bill(lake, "workshop", "tax, cost") == (Decimal("3.41"), Decimal("15.94"))


def test_a_reading_longer_than_the_demand_interval_counts_with_its_mean_power(lake: Path) -> None:
    # 40 kWh in an hour are 40 kW, also where demand is measured each quarter hour: 40 x 3.
    assert bill(lake, "hourly", "demand_cost, adjustment") == (Decimal("120"), Decimal("0"))


def test_a_submeter_is_costed_by_the_terms_of_its_supply_and_not_settled(lake: Path) -> None:
    """Its supply has no main, so it has no bill. The terms of a supply point are a record that names no meter."""
    _, rows = query(lake, "SELECT role, energy_kwh, cost FROM costs WHERE meter_id = 'behind'")
    assert rows == [("sub", Decimal(10), Decimal(0))]
    assert query(lake, "SELECT COUNT(*) FROM rejected")[1] == [(0,)]
    assert query(lake, "SELECT COUNT(*) FROM adjustments WHERE meter_id = 'behind'")[1] == [(0,)]


def test_adjustments_have_the_columns_of_their_table(lake: Path) -> None:
    assert pq.read_schema(lake / "adjustments" / "adjustments.parquet") == arrow_schema(ADJUSTMENTS)


def test_days_add_up_to_the_bills(lake: Path) -> None:
    """Also of tariffs that only settlement prices, and in energy: `bank` imports 50 kWh and exports 30."""
    assert days(lake) == bills(lake)
    assert bill(lake, "bank", "energy_kwh, export_kwh") == (Decimal("50"), Decimal("30"))


def bills(lake: Path) -> list[tuple[object, ...]]:
    """Cost and energy of each meter."""
    return query(lake, "SELECT meter_id, SUM(cost), SUM(energy_kwh) FROM bills GROUP BY ALL ORDER BY 1")[1]


def days(lake: Path) -> list[tuple[object, ...]]:
    sql = (
        "SELECT entity, SUM(cost), SUM(energy_kwh) FROM kpis_1d WHERE level = 'meter' AND entity <> 'behind' "
        "GROUP BY ALL ORDER BY 1"
    )
    return query(lake, sql)[1]


def test_a_second_time_changes_nothing(lake: Path) -> None:
    before = query(lake, "SELECT * FROM bills ORDER BY meter_id")[1]
    folder = lake.parent
    answer = command("settle", lake, "--contracts", folder / "contracts.ndjson", "--tariffs", folder / "tariffs")
    assert "6 cycles: 3 equal to the last digit, 3 adjusted" in answer
    assert query(lake, "SELECT * FROM bills ORDER BY meter_id")[1] == before


def test_a_part_of_the_contracts_or_tariffs_does_not_forget_adjustments(lake: Path, tmp_path: Path) -> None:
    before = query(lake, "SELECT * FROM bills ORDER BY meter_id")[1]
    folder = lake.parent
    part = write_records(tmp_path / "part.ndjson", [contract("order", "chronological")])
    tariffs = folder / "tariffs"
    answer = command("settle", lake, "--contracts", part, "--tariffs", tariffs, code=2)
    assert "meters or supplies cannot be settled; nothing was written." in answer
    assert query(lake, "SELECT * FROM bills ORDER BY meter_id")[1] == before
    command("settle", lake, "--contracts", part, "--tariffs", tariffs, "--allow-partial")
    assert query(lake, "SELECT * FROM bills ORDER BY meter_id")[1] == before
    (tmp_path / "tariffs").mkdir()
    shutil.copy(tariffs / "chronological.json", tmp_path / "tariffs")
    answer = command(
        "settle", lake, "--contracts", folder / "contracts.ndjson", "--tariffs", tmp_path / "tariffs", code=2
    )
    assert "nothing was written" in answer
    assert query(lake, "SELECT * FROM bills ORDER BY meter_id")[1] == before


def test_what_the_stream_prices_exactly_is_not_adjusted(
    sample_run: Path, sample_oracle: Oracle, tmp_path: Path
) -> None:
    """Of the sample's bills only time without readings, its taxes, shrunken peaks and late reads are adjusted."""
    # Adjustments change the KPIs: other tests see the lake as it is without them.
    lake = shutil.copytree(sample_run, tmp_path / "lake")
    contracts, registry = SAMPLES / "contracts.ndjson", SAMPLES / "tariffs"
    answer = command("settle", lake, "--contracts", contracts, "--tariffs", registry)
    assert f"{len(sample_oracle.costs())} cycles" in answer
    cycles = (
        "(SELECT meter_id, cycle_start, reason, SUM(energy_cost) AS energy, SUM(demand_cost) AS demand, "
        "SUM(fixed_cost) AS fixed, SUM(export_credit) AS export, SUM(other_cost) AS other "
        "FROM adjustments GROUP BY ALL)"
    )
    _, rows = query(
        lake,
        "SELECT COUNT(*) FILTER (WHERE energy <> 0 AND reason NOT LIKE '%reads of a register%'), "
        "SUM(ABS(export)), SUM(ABS(other)), "
        "COUNT(*) FILTER (WHERE demand <> 0 AND reason NOT LIKE '%a peak cannot shrink%'), "
        f"COUNT(*) FILTER (WHERE fixed <> 0 AND reason NOT LIKE '%h without readings%') FROM {cycles}",
    )
    assert rows == [(0, 0, 0, 0, 0)]
    _, rows = query(lake, f"SELECT COUNT(DISTINCT meter_id) FROM {cycles} WHERE energy <> 0")
    assert rows == [(1,)]
    _, rows = query(lake, "SELECT COUNT(*) FROM adjustments WHERE streamed_cost + cost <> exact_cost")
    assert rows == [(0,)]
    factories = "SELECT entity, SUM(cost), SUM(energy_kwh) FROM kpis_1d WHERE level = 'factory' GROUP BY ALL ORDER BY 1"
    sites = "SELECT site, SUM(cost), SUM(energy_kwh) FROM bills GROUP BY ALL ORDER BY 1"
    assert query(lake, factories)[1] == query(lake, sites)[1]
