"""`rate`, `compare` and `tariffs` as a user meets them."""

from __future__ import annotations

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.lake.views import BILLS
from flink_job.schemas import COSTS
from flink_job.tariffs.document import schema
from tests.harness.jobs import SAMPLES, command
from tests.oracle.urdb import FLAT, energy

HEAD = {"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
BANDS = [{"from": "00:00", "period": "night"}, {"from": "08:00", "period": "day"}]
TARIFF = {
    **HEAD,
    "timezone": "Europe/Madrid",
    "calendar": {"days": [{"on": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "bands": BANDS}]},
    "energy": {"periods": {"night": [{"price": "0.10"}], "day": [{"price": "0.20"}]}},
    "export": {"prices": {"*": "0.05"}},
    "fixed": [{"name": "a", "amount": "31", "per": "month"}],
    "taxes": [{"name": "VAT", "rate": "0.21", "base": ["energy", "fixed"]}],
}
HEADER = "meter_id,ts,interval_s,kwh\n"


def write(path: Path, content: str | bytes | dict[str, Any]) -> Path:
    data = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rate(tmp_path: Path, readings: Path, *more: object, tariff: dict[str, Any] = TARIFF, code: int = 0) -> str:
    document = write(tmp_path / "tariff.json", tariff)
    zone = () if "--timezone" in more else ("--timezone", "Europe/Madrid")
    return command(
        "rate", "--tariff", document, "--readings", readings, *zone, "--out", tmp_path / "out", *more, code=code
    )


def bills(tmp_path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((tmp_path / "out" / "bills.csv").open()))


def costs(tmp_path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(tmp_path / "out" / "costs.parquet").to_pylist()
    return rows


def test_a_bill_and_its_costs(tmp_path: Path) -> None:
    # July in Madrid, UTC+2: 05:30Z is 07:30, night; 06:30Z is 08:30, day. 1 kWh x 0.10 + 2 x 0.20 = 0.50; 4 exported at
    # 0.05; fixed 31; VAT 21 % of 0.50 and of 31: 0.105 + 6.51.
    readings = write(
        tmp_path / "r.csv",
        HEADER + "a,2026-07-10T05:30:00Z,900,1\na,2026-07-10T06:30:00Z,900,2\na,2026-07-11T12:00:00+02:00,900,-4\n",
    )
    rate(tmp_path, readings)
    assert (tmp_path / "out" / "bills.csv").read_text() == (
        "meter_id,cycle_start,bill_start,bill_end,tariff_id,tariff_version,currency,energy_kwh,export_kwh,energy_cost,"
        "demand_cost,fixed_cost,export_credit,other_cost,tax,cost,minimum_cost,reactive_cost\n"
        "a,2026-07-01,2026-07-01,2026-08-01,t,1,EUR,3.000000,4.000000,0.500000,"
        "0.000000,31.000000,-0.200000,0.000000,6.615000,37.915000,0.000000,0.000000\n"
    )
    rows = costs(tmp_path)
    assert [(r["tou_period"], r["energy_kwh"], r["export_kwh"]) for r in rows] == [
        ("night", 1, 0),
        ("day", 2, 0),
        ("day", 0, 4),
    ]
    assert sum(row["cost"] for row in rows) == Decimal("37.915")
    for row in rows:
        lines = ("energy", "demand", "fixed", "minimum", "reactive")
        assert row["cost"] == sum(row[f"{line}_cost"] for line in lines) + row["export_credit"] + row["tax"]


def test_local_times_through_the_night_of_25_hours(tmp_path: Path) -> None:
    hours = ("01", "02", "02", "03")
    rows = "".join(f"a,2026-10-25T{hour}:00:00,3600,{n}\n" for n, hour in enumerate(hours, start=1))
    rate(tmp_path, write(tmp_path / "r.csv", HEADER + rows))
    instants = [row["interval_start"].strftime("%d %H") for row in costs(tmp_path)]
    assert instants == ["24 23", "25 00", "25 01", "25 02"]


@pytest.mark.parametrize("ts", ["1783661400", "1783661400000", "2026-07-10 05:30:00+00:00", "2026-07-10T07:30"])
def test_times_in_every_form(tmp_path: Path, ts: str) -> None:
    rate(tmp_path, write(tmp_path / "r.csv", HEADER + f"a,{ts},900,1\n"))
    assert [row["interval_start"].isoformat() for row in costs(tmp_path)] == ["2026-07-10T05:30:00"]


def test_a_local_time_that_does_not_exist_is_named(tmp_path: Path) -> None:
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-03-29T02:30:00,900,1\n")
    assert "no such local time in Europe/Madrid" in rate(tmp_path, readings, code=2)


def test_the_same_bills_from_every_format(tmp_path: Path) -> None:
    rows = [("a", f"2026-07-10T{h:02d}:00:00Z", 3600, round(h * 1.1, 1)) for h in range(20)]
    rows += [("b", f"2026-07-10T{h:02d}:00:00Z", 3600, -0.5) for h in range(5)]
    text = HEADER + "".join(f"{m},{t},{s},{k}\n" for m, t, s, k in rows)
    wire = "\n".join(map(json.dumps, (_wire(*row) for row in rows)))
    table = pa.table(
        dict(zip(("meter_id", "ts", "interval_s", "kwh"), map(list, zip(*rows, strict=True)), strict=True))
    )
    pq.write_table(table, tmp_path / "r.parquet")
    files = [
        write(tmp_path / "r.csv", text),
        write(tmp_path / "r.csv.gz", gzip.compress(text.encode())),
        write(tmp_path / "r.ndjson", wire),
        write(tmp_path / "r.ndjson.gz", gzip.compress(wire.encode())),
        tmp_path / "r.parquet",
    ]
    found = []
    for readings in files:
        rate(tmp_path, readings)
        found.append(bills(tmp_path))
    assert all(one == found[0] for one in found)
    assert [b["meter_id"] for b in found[0]] == ["a", "b"]


def _wire(meter: str, start: str, interval_s: int, kwh: float) -> dict[str, Any]:
    channel = "export" if kwh < 0 else "import"
    return {
        "meter_id": meter,
        "interval_start": start,
        "interval_s": interval_s,
        "channel": channel,
        "energy_kwh": abs(kwh),
    }


def test_several_files_are_one_set_of_readings(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{n}.csv", HEADER + f"{meter},2026-07-1{n}T05:00:00Z,900,1\n")
        for n, meter in enumerate(("a", "a", "b"))
    ]
    text = rate(tmp_path, files[0], *files[1:])
    assert "3 readings of 2 meters" in text
    assert [bill["energy_cost"] for bill in bills(tmp_path)] == ["0.200000", "0.100000"]


def test_repeats_count_once_and_malformed_records_are_told(tmp_path: Path) -> None:
    good = {"meter_id": "a", "interval_start": "2026-07-10T00:00:00Z", "interval_s": 900, "energy_kwh": 5}
    records = [good, good, {**good, "revision": 1, "energy_kwh": 7}, {"meter_id": "a"}]
    text = rate(tmp_path, write(tmp_path / "r.ndjson", "\n".join(map(json.dumps, records)) + "\nnonsense\n"))
    assert "1 record rejected: missing_field" in text
    assert text.count("1 record rejected: ") == 2
    (row,) = costs(tmp_path)
    assert row["energy_kwh"] == 7
    csv_text = rate(tmp_path, write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,5\n" * 3))
    assert "2 duplicates ignored: each interval counts once" in csv_text


def test_a_cumulative_register_that_rolls_over(tmp_path: Path) -> None:
    reads = [(0, 99_990.0), (1, 99_995.5), (2, 3.0), (3, 3.0)]
    records = [
        {
            "meter_id": "a",
            "interval_start": f"2026-07-10T0{hour}:00:00Z",
            "interval_s": 3600,
            "register_kwh": kwh,
            "register_rollover_kwh": 100_000,
        }
        for hour, kwh in reads
    ]
    rate(tmp_path, write(tmp_path / "r.ndjson", "\n".join(map(json.dumps, records))))
    assert [row["energy_kwh"] for row in costs(tmp_path)] == [0, Decimal("5.5"), Decimal("7.5"), 0]


def test_cycles_from_a_day_of_the_month_or_read_dates(tmp_path: Path) -> None:
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,5\n")
    rate(tmp_path, readings, "--cycle-day", "15")
    assert (bills(tmp_path)[0]["cycle_start"], bills(tmp_path)[0]["bill_end"]) == ("2026-06-15", "2026-07-15")
    rate(tmp_path, readings, "--cycle-start", "2026-07-03", "--cycle-start", "2026-08-04")
    assert (bills(tmp_path)[0]["cycle_start"], bills(tmp_path)[0]["bill_end"]) == ("2026-07-03", "2026-08-04")


def test_a_urdb_record_is_billed_by_calendar_months_whatever_its_dates(tmp_path: Path) -> None:
    urdb = energy(FLAT, FLAT, [{"rate": 0.25}], startdate=1_000_000_000, enddate=1_100_000_000)
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00,3600,4\n")
    text = rate(tmp_path, readings, "--timezone", "Etc/GMT-1", "--cycle-day", "7", tariff=urdb)
    assert "calendar months" in text
    (bill,) = bills(tmp_path)
    assert (bill["cycle_start"], bill["energy_cost"]) == ("2026-07-01", "1.000000")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("r.csv", "meter_id,ts,kwh\na,2026-07-10T00:00:00Z,1\n", "no column interval_s; the header is meter_id,ts"),
        ("r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,much\n", "r.csv:2: column kwh: 'much' is not a number"),
        ("r.csv", HEADER + 'a,2026-07-10T00:00:00Z,900,"1,5"\n', "kwh: '1,5' is not a number; decimals have a point"),
        ("r.csv", HEADER + "a,2026-07-10T00:00:00Z,15min,1\n", "column interval_s: '15min' is not a whole number"),
        ("r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,1,5\n", "r.csv:2: 5 cells under a header of 4"),
        ("r.csv", HEADER + "a,2026-07-10T00:00:00Z,0,1\n", "interval_s must be positive; row 1"),
        ("r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,1e12\n", "row 1: energy is"),
        ("r.csv", HEADER + "a,someday,900,1\n", "column ts"),
        ("r.csv", HEADER, "no readings"),
        ("r.txt", "", "the file is empty"),
        ("r.csv.gz", "plain", "Not a gzipped file"),
    ],
)
def test_input_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, problem: str) -> None:
    assert problem in rate(tmp_path, write(tmp_path / name, content), code=2)


def test_a_file_that_leaves_questions_open_is_not_rated(tmp_path: Path) -> None:
    """Separator and decimal comma are found; whether a time is a beginning, and in which time zone, is not."""
    file = write(tmp_path / "semicolons.csv", "meter;date;kwh\na;2026-03-01;1,5\na;2026-03-02;1,5\n")
    text = rate(tmp_path, file, code=2)
    assert "the file leaves open" in text
    assert "--stamp begin or --stamp end" in text
    assert "--timezone" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "problems"),
    [
        (
            "renamed.csv",
            "meter,when,energy\na,2026-03-01,1.5\n",
            [
                "no readings: 1 record rejected: 1 missing_field",
                "the header is meter,when,energy; required: meter_id,ts",
            ],
        ),
        (
            "local.ndjson",
            '{"meter_id":"m","interval_start":"2026-03-01T10:00:00","interval_s":900,"energy_kwh":1}\n',
            ["1 no_offset", "local.ndjson:1: interval_start '2026-03-01T10:00:00' has no UTC offset: add Z or +hh:mm"],
        ),
    ],
)
def test_rejected_records_are_reported_where_none_is_a_reading(
    tmp_path: Path, name: str, content: str, problems: list[str]
) -> None:
    text = rate(tmp_path, write(tmp_path / name, content), code=2)
    for problem in problems:
        assert problem in text


def test_columns_have_the_names_of_the_lake(tmp_path: Path) -> None:
    rate(tmp_path, write(tmp_path / "r.csv", HEADER + "a,2026-07-10T05:30:00Z,900,1\n"))
    parts = {"minimum_cost", "reactive_cost"}
    assert bills(tmp_path)[0].keys() - BILLS.columns.keys() == parts | {"bill_start", "bill_end"}
    assert costs(tmp_path)[0].keys() - {column.name for column in COSTS.columns} == parts


def test_other_errors_say_what_to_do(tmp_path: Path) -> None:
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,1\n")
    assert "not an IANA time zone" in rate(tmp_path, readings, "--timezone", "Madrid", code=2)
    assert "no such file" in rate(tmp_path, tmp_path / "none.csv", code=2)
    faulty = {**TARIFF, "energy": {"periods": {"night": [{"price": "0.1"}]}}}
    text = rate(tmp_path, readings, tariff=faulty, code=2)
    assert "energy/periods: no price for period 'day' of the calendar" in text
    old = write(tmp_path / "old.csv", HEADER + "a,2025-07-10T00:00:00Z,900,1\n")
    assert "in force on 2025-07-" in rate(tmp_path, old, code=2)
    rate(tmp_path, old, "--any-date")


def test_dynamic_prices_and_contracted_power_from_options(tmp_path: Path) -> None:
    # 2 kWh x 0.30; power 10 kW x 36.5 x 31/365 = 31.
    tariff = {
        **HEAD,
        "energy": {"dynamic": {"series": "spot"}},
        "contracted_power": {"periods": {"all": "36.5"}},
    }
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,2\n")
    spot = write(tmp_path / "spot.csv", "from,price\n2026-07-10T00:00:00Z,0.30\n2026-07-10T01:00:00Z,0.1\n")
    rate(tmp_path, readings, "--prices", f"spot={spot}", "--contracted-kw", "all=10", tariff=tariff)
    (bill,) = bills(tmp_path)
    assert (bill["energy_cost"], bill["fixed_cost"]) == ("0.600000", "31.000000")


def test_compare_puts_the_cheapest_first_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "tariffs"
    folder.mkdir()
    for name, price in (("dear", "0.5"), ("cheap", "0.1")):
        write(folder / f"{name}.json", {**HEAD, "tariff_id": name, "energy": {"periods": {"all": [{"price": price}]}}})
    write(folder / "late.json", {**HEAD, "tariff_id": "late", "valid_from": "2027-01-01"})
    write(folder / "broken.json", "{")
    readings = write(tmp_path / "r.csv", HEADER + "a,2026-07-10T00:00:00Z,900,10\nb,2026-07-10T00:00:00Z,900,10\n")
    arguments = ("--readings", readings, "--tariffs", folder, "--timezone", "UTC", "--out", tmp_path / "all.csv")
    text = command("compare", *arguments)
    assert text.index("cheap") < text.index("dear")
    assert "+400.0%" in text
    assert "skipped: late: no version of tariff 'late' is in force on 2026-07-10" in text
    assert "broken.json: not JSON" in text
    rows = [tuple(row.values()) for row in csv.DictReader((tmp_path / "all.csv").open())]
    assert rows[0] == ("cheap", "EUR", "a", "1.000000")
    assert len(rows) == 4


def test_tariffs_show_charts_every_hour_of_a_day_of_23(tmp_path: Path) -> None:
    text = command("tariffs", "show", write(tmp_path / "t.json", TARIFF), "--day", "2026-03-29")
    chart = [line for line in text.splitlines() if line[2:5] == ":00"]
    assert len(chart) == 23
    assert "02:00" not in text
    assert chart[0].endswith("0.100000 night")
    assert chart[-1].endswith("0.200000 day")
    week = command("tariffs", "show", tmp_path / "t.json", "--day", "2026-03-29", "--week")
    assert (
        len([line for line in week.splitlines() if line[:3] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")]) == 7
    )


def test_tariffs_import_urdb_writes_a_document_that_checks(tmp_path: Path) -> None:
    record = write(tmp_path / "urdb.json", energy(FLAT, FLAT, [{"rate": 0.25}]))
    zone = ("--timezone", "America/Denver", "--currency", "USD")
    printed = json.loads(command("tariffs", "import-urdb", record, *zone))
    command("tariffs", "import-urdb", record, *zone, "--out", tmp_path / "ours.json")
    assert json.loads((tmp_path / "ours.json").read_text()) == printed
    for document in (tmp_path / "ours.json", record):
        assert "USD, from 1900-01-01" in command("tariffs", "check", document)
    assert "not a URDB record" in command("tariffs", "import-urdb", tmp_path / "ours.json", *zone, code=2)


def test_tariffs_check_says_what_the_stream_leaves(tmp_path: Path) -> None:
    ratchet = {"flat": [{"price": "1"}], "ratchet": {"share": "0.8", "months_back": 11}}
    documents = [
        write(tmp_path / "a.json", {**TARIFF, "demand": ratchet}),
        write(tmp_path / "b.json", {**TARIFF, "tariff_id": "u", "export": {"rule": "net_metering"}}),
    ]
    text = command("tariffs", "check", *documents, SAMPLES / "tariffs")
    assert "provisional in the stream until settled: ratchet" in text
    assert "provisional in the stream until settled: banked energy of net metering" in text
    assert "eur-flat 2026-01: EUR" in text


def test_tariffs_spain_and_schema(tmp_path: Path) -> None:
    prices = {"energy": {"P1": "0.20", "P2": "0.15", "P3": "0.10"}, "power": {"P1": "28", "P2": "1.5"}}
    given = write(tmp_path / "prices.json", prices)
    command("tariffs", "spain", "2.0TD", "--prices", given, "--zone", "ceuta", "--out", tmp_path / "es.json")
    assert "es-2.0TD-ceuta 1: EUR" in command("tariffs", "check", tmp_path / "es.json")
    assert "give P1, P2, P3, P4" in command("tariffs", "spain", "3.0TD", "--prices", given, code=2)
    assert json.loads(command("tariffs", "schema")) == schema()
