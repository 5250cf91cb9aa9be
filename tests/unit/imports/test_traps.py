"""Traps of a first conversion are found and said, or asked; nothing is guessed."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.imports.model import FileError
from flink_job.imports.questions import UndecidedError
from tests.unit.imports.files import energies, imported, shown

MADRID = ZoneInfo("Europe/Madrid")
MAP = (
    "{meter_id: m, timezone: Europe/Madrid, interval: 1h, stamp: begin, time: {column: t}, "
    "columns: {kWh: {kind: interval}}}"
)


def file_of(starts: list[str], values: list[str] | None = None, separator: str = ",") -> str:
    """A file with columns t and kWh."""
    values = values or [str(n) for n in range(1, len(starts) + 1)]
    return f"t{separator}kWh\n" + "".join(f"{t}{separator}{v}\n" for t, v in zip(starts, values, strict=True))


@pytest.mark.parametrize(
    ("text", "options", "question"),
    [
        (file_of(["2026-03-01T00:00", "2026-03-01T01:00"]), {"meter": "m", "stamp": "begin"}, "--timezone"),
        (file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"]), {"meter": "m"}, "--stamp begin or --stamp end"),
        (file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"]), {"stamp": "end"}, "--meter ID"),
        (
            file_of(["03/04/2026 00:00", "03/04/2026 01:00"]),
            {"meter": "m", "timezone": "UTC", "stamp": "end"},
            "--time-format",
        ),
        (
            file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"], ["1.234", "5.678"], ";"),
            {"meter": "m", "stamp": "end"},
            "--decimal",
        ),
        (
            file_of([f"2026-03-01T{h:02d}:00Z" for h in range(20)], [str(5000 + h) for h in range(20)]),
            {"meter": "m", "stamp": "begin"},
            "--kind register",
        ),
        (
            file_of([f"2026-03-01T{h:02d}:00Z" for h in range(20)], [str(h % 5 + 1) for h in range(20)]),
            {"meter": "m", "stamp": "begin", "interval": "15min"},
            "times are 1h apart",
        ),
        (
            file_of(
                [f"2026-03-01T0{n // 4}:{n % 4 * 15:02d}Z" for n in range(12)]
                + [f"2026-03-02T{n:02d}:00Z" for n in range(9)]
            ),
            {"meter": "m", "stamp": "begin"},
            "mixed intervals",
        ),
        (
            file_of(["2026-03-29T01:00", "2026-03-29T02:00", "2026-03-29T03:00"]),
            {"meter": "m", "stamp": "begin", "timezone": "Europe/Madrid"},
            "--standard-time",
        ),
        ("Meter,t_start,Start,Usage\nm,1,2026-03-01T00:00Z,5\n", {}, "with a unit in its name"),
    ],
    ids=["zone", "stamp", "meter", "date order", "decimal", "register", "interval", "mixed", "summer time", "unit"],
)
def test_what_is_open_is_asked_with_its_option(text: str, options: dict[str, str], question: str) -> None:
    text = text.replace("t,kWh", "Time,kWh").replace("t;kWh", "Time;kWh")
    with pytest.raises(FileError, match=question):
        imported(text, **options)


def test_all_questions_come_at_once() -> None:
    with pytest.raises(UndecidedError) as caught:
        imported(file_of(["2026-03-01T00:00", "2026-03-01T01:00"]).replace("t,", "Time,"))
    assert all(option in str(caught.value) for option in ("--meter", "--timezone", "--stamp"))


@pytest.mark.parametrize("stamp", ["begin", "end"])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("clock", ["instant", "start plus interval"])
def test_both_clock_nights_in_local_time(stamp: str, order: int, clock: str) -> None:
    """Quarter hours of two days in local time without offsets, written by either clock, are those of UTC."""
    for first in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        starts = [first + timedelta(minutes=15 * n) for n in range(96)]
        step = timedelta(minutes=15 if stamp == "end" else 0)
        labels = [
            (s + step).astimezone(MADRID).replace(tzinfo=None)
            if clock == "instant"
            else s.astimezone(MADRID).replace(tzinfo=None) + step
            for s in starts
        ]
        values = [str(n % 7 + 1) for n in range(96)]
        rows = list(zip([label.isoformat() for label in labels], values, strict=True))[::order]
        text = file_of([row[0] for row in rows], [row[1] for row in rows])
        found = imported(text, MAP.replace("1h", "15min").replace("begin", stamp))
        expected = {s.strftime("%Y-%m-%dT%H:%M"): v for s, v in zip(starts, values, strict=True)}
        assert energies(found) == expected and not found.refused


def test_a_repeated_hour_that_is_given_once_is_refused() -> None:
    """02:00 of 25 October is 00:00 or 01:00 UTC: with one row it cannot be known."""
    found = imported(file_of(["2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]), MAP)
    assert energies(found) == {"2026-10-24T23:00": "1", "2026-10-25T02:00": "3"}
    assert [(row.line, row.reason) for row in found.refused] == [(3, "ambiguous_local_time")]


def test_standard_time_all_year() -> None:
    """02:00 of a clock that stays at UTC+1 is 01:00 UTC."""
    found = imported(
        file_of(["2026-03-29T02:00", "2026-07-01T02:00"]),
        MAP.replace("interval: 1h", "interval: 1h, fixed_offset: true"),
    )
    assert energies(found) == {"2026-03-29T01:00": "1", "2026-07-01T01:00": "2"}


def test_midnight_of_the_day_that_ended() -> None:
    """24:00 of 1 March, and 00:00 of 2 March at the end of an hour, are the same hour from 22:00 UTC."""
    for label in ("01/03/2026 24:00", "02/03/2026 00:00"):
        text = file_of(["01/03/2026 23:00", label, "28/03/2026 01:00"])
        assert energies(imported(text, MAP.replace("begin", "end")))["2026-03-01T22:00"] == "2"


@pytest.mark.parametrize(
    ("unit", "value", "kwh"),
    [
        ("kW", "8", "2"),
        ("W", "4030", "1.0075"),
        ("Wh", "1500", "1.5"),
        ("MWh", "0.0015", "1.5"),
        ("kWh", "0.0000005", "0"),
    ],
)
def test_units(unit: str, value: str, kwh: str) -> None:
    """Power is energy over a quarter hour; 0.0000005 kWh is half of a unit and goes to the even one, 0."""
    text = f"t,{unit}\n2026-03-01T00:00Z,{value}\n"
    assert energies(
        imported(
            text, f"{{meter_id: m, interval: 15min, stamp: begin, time: {{column: t}}, columns: {{{unit}: {{}}}}}}"
        )
    ) == {"2026-03-01T00:00": kwh}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_line_ends(encoding: str, end: str) -> None:
    text = file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z", "2026-03-01T02:00Z"]).replace("kWh", "Verbräuche kWh")
    found = imported(text.replace("\n", end).encode(encoding), MAP.replace("kWh:", "Verbräuche kWh:"))
    assert list(energies(found).values()) == ["1", "2", "3"]


def test_utf_16_without_a_mark_and_nul_in_an_id() -> None:
    text = file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"])
    assert len(imported(text.encode("utf-16-le"), MAP).rows) == 2
    text = "Meter,t,kWh\n a\0,2026-03-01T00:00Z,1\na ,2026-03-01T01:00Z,2\n"
    assert set(imported(text, MAP.replace("meter_id: m", "meter_id: {column: Meter}")).rows["meter"]) == {"a"}


def test_footers_repeats_and_second_values_are_refused_with_their_line() -> None:
    text = file_of(
        ["2026-03-01T00:00Z", "2026-03-01T00:00Z", "2026-03-01T01:00Z", "2026-03-01T01:00Z"], ["1", "1", "2", "3"]
    )
    found = imported(text + "Total,,7\n\n,7\nSumme,7\n", MAP)
    assert energies(found) == {"2026-03-01T00:00": "1", "2026-03-01T01:00": "2"}
    assert found.duplicates == 1
    assert [(row.line, row.reason) for row in found.refused] == [
        (5, "second_value"),
        (6, "3 cells under a header of 2"),
        (8, "no_time"),
        (9, "no_time"),
    ]


@pytest.mark.parametrize("text", ["1772323200", "1772323200000"])
def test_epochs_are_told_apart_and_wrong_years_refused(text: str) -> None:
    """1772323200 s is 1 March 2026, 00:00 UTC."""
    assert energies(imported(f"t,kWh\n{text},1\n", MAP)) == {"2026-03-01T00:00": "1"}
    wrong = imported("t,kWh\n1772323200,1\n1772323200000,2\n", MAP)
    assert [(row.line, row.reason) for row in wrong.refused] == [(3, "implausible_time")]


def test_spikes_are_refused() -> None:
    """1e8 kWh in an hour are more than 10,000 kW."""
    found = imported(file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"], ["1", "100000000"]), MAP)
    assert [(row.line, row.reason) for row in found.refused] == [(3, "implausible_energy")]


@pytest.mark.parametrize("cell", ["NaN", "1e5000000", "9" * 4400, "Infinity", "0x10", "1_000", "-", "1,2,3"])
def test_one_bad_cell_is_one_refused_row(cell: str) -> None:
    found = imported(file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"], ["1", f'"{cell}"']), MAP)
    assert (len(found.rows), [row.line for row in found.refused]) == (1, [3])


def test_negative_energy_is_export_and_meters_may_be_columns() -> None:
    found = imported(file_of(["2026-03-01T00:00Z", "2026-03-01T01:00Z"], ["1", "-2"]), MAP)
    assert found.rows["channel"].tolist() == ["import", "export"]
    text = "t,kWh_a,kWh_b\n2026-03-01T00:00Z,1,2\n"
    wide = imported(text, MAP.replace("meter_id: m", 'meter_id: {columns: "kWh_*"}').replace("{kWh:", '{"kWh_*":'))
    assert wide.rows["meter"].tolist() == ["kWh_a", "kWh_b"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\n\n\n", "empty"),
        (b"meter_id,ts,interval_s,kwh", ":1: the header has no rows"),
        (b"<!DOCTYPE html>\n<html>", ":1: a web page"),
        (b"\x1f\x8b\x08\x00\x00", "damaged"),
        (b"PK\x03\x04nothing", "damaged"),
        (b"PAR1nothing", "f.csv"),
        (codecs.BOM_UTF8 + b"t,kWh\n\xff,1\n", ":2: not utf-8"),
        (b"a,b\n1,2\n", "no column of times"),
        (b"<feed><entry>", ":1: not XML"),
    ],
)
def test_hostile_files_have_a_message(data: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        imported(data)


@pytest.mark.parametrize(
    "time", ['{date: Day, wide: "HH:MM"}', '{wide: {date: Day, first: "00:15"}}', '{date: Day, wide: ">=00:15"}']
)
def test_wide_rows_of_a_map(time: str) -> None:
    """The first column of the day is its first interval, 23:00 UTC in Madrid, also if it is named 00:15."""
    stated = f"{{meter_id: m, timezone: Europe/Madrid, interval: 15min, time: {time}, columns: {{'*': {{unit: kWh}}}}}}"
    found = imported("Day,00:15,00:30,Total\n2026-03-01,1.5,2,3.5\n", stated)
    assert energies(found) == {"2026-02-28T23:00": "1.5", "2026-02-28T23:15": "2"}


def test_an_unknown_key_of_a_map_is_named() -> None:
    with pytest.raises(FileError, match=r"map.yaml: .*`zone`"):
        imported("t,kWh\n1,2\n", MAP.replace("timezone", "zone"))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='0123456789.,;:-/TZ\n" kWhtime', max_size=300).map(str.encode))
def test_any_bytes_give_readings_or_a_message(data: bytes) -> None:
    try:
        found = imported(data, meter="m", timezone="Europe/Madrid", stamp="begin", unit="kWh")
    except FileError as error:
        assert str(error).startswith("f.csv")
    else:
        assert len(found.rows) + len(found.refused) > 0


def test_rows_whose_end_is_not_the_next_begin_are_asked() -> None:
    """Every other half hour is missing: the distance of the times is an hour, but a row has half an hour."""
    rows = "".join(f"1,2026-03-01T{n:02d}:00:00Z,2026-03-01T{n:02d}:30:00Z\n" for n in range(6))
    text = f"Consumption (kwh),Start,End\n{rows}"
    with pytest.raises(UndecidedError, match="most rows end 30min after they begin, but their times are 1h apart"):
        imported(text, meter="m")
    assert {row[1] for row in shown(imported(text, meter="m", interval="30min"))} == {1800}


def test_the_end_of_a_single_row_is_its_length() -> None:
    text = "Consumption (kwh),Start,End\n1,2026-03-01T00:00:00Z,2026-03-01T00:30:00Z\n"
    assert [row[:2] for row in shown(imported(text, meter="m"))] == [("2026-03-01T00:00", 1800)]


@pytest.mark.parametrize(
    "text",
    [
        "cups;fecha;hora;consumo_kWh\nES1;2026/03/01;1;1\nES2;2026/03/01;2;1\n",
        't_stamp,a kWh,b kWh\n"Mar 7, 2026, 1:00 PM",1,2\n"Mar 7, 2026, 2:00 PM",2,3\n',
    ],
    ids=["rows", "columns"],
)
def test_one_name_for_several_meters_is_refused(text: str) -> None:
    """The readings of both would be taken for one meter, as their times do not always coincide."""
    with pytest.raises(FileError, match=r"f\.csv: it has 2 meters"):
        imported(text, meter="m", timezone="Europe/Madrid")


def test_a_broken_offset_among_local_times_is_no_time() -> None:
    text = "t,kWh\n2026-03-01 00:00,1\n2026-03-01 0-4:00,2\n2026-03-01 01:00,3\n2026-03-01 02:00,2\n"
    found = imported(text.replace("t,", "Time,"), meter="m", timezone="Etc/UTC", stamp="begin", kind="interval")
    assert energies(found) == {"2026-03-01T00:00": "1", "2026-03-01T01:00": "3", "2026-03-01T02:00": "2"}
    assert [(row.line, row.reason) for row in found.refused] == [(3, "no_time")]
