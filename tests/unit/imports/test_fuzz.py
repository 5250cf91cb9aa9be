"""Broken files of every profile and format: an error that names the file, or readings that the whole file has too."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flink_job.imports.accept import NoExportError, readings_of
from flink_job.imports.convert import Imported
from flink_job.imports.detect import profiles
from flink_job.imports.model import FileError
from flink_job.imports.questions import UndecidedError
from flink_job.imports.reader import Answers, read_file
from flink_job.metering.reading import MAX_INTERVAL_S
from flink_job.metering.units import BILLED_CHANNELS, MEASURED_CHANNELS

HOURS = range(1, 7)
ESPI = (
    '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry><content>'
    '<ReadingType xmlns="http://naesb.org/espi"><uom>72</uom><powerOfTenMultiplier>0</powerOfTenMultiplier>'
    "<flowDirection>1</flowDirection></ReadingType></content></entry><entry><content>"
    '<IntervalBlock xmlns="http://naesb.org/espi">'
    + "".join(
        f"<IntervalReading><timePeriod><duration>3600</duration><start>{1_772_323_200 + 3600 * n}</start></timePeriod>"
        f"<value>{500 + n}</value></IntervalReading>\n"
        for n in HOURS
    )
    + "</IntervalBlock></content></entry></feed>"
)
TIMES = ",".join(f"{n // 2:02d}:{n % 2 * 30:02d}" for n in [*range(1, 48), 0])
#: A small file of each profile, in the encoding of its source.
FILES = {
    "datadis": "cups;fecha;hora;consumo_kWh\n" + "".join(f"ES1;2026/03/01;{n}:00;{n},5\n" for n in HOURS),
    "spain-distributor": "CUPS;Fecha;Hora;AE_kWh\n" + "".join(f"ES1;14/03/2026;{n};{n},5\n" for n in HOURS),
    "enedis": "Identifiant PRM;Type;Unite;Pas en minutes\n1;Courbe;W;60\nHorodate;Valeur\n"
    + "".join(f"2026-03-01T{n:02d}:00:00+01:00;{400 + n}\n" for n in HOURS),
    "germany-load-profile": "Datum;Uhrzeit;Wert (kWh)\n" + "".join(f"14.03.2026;{n:02d}:00;{n},5\n" for n in HOURS),
    "uk-half-hourly": f"MPAN,Measurement,Date,{TIMES}\n12,AI,14/03/2026,{','.join(['0.5'] * 48)}\n",
    "octopus": "Consumption (kwh),Start,End\n"
    + "".join(f"0.{n},2026-03-01T{n:02d}:00:00Z,2026-03-01T{n + 1:02d}:00:00Z\n" for n in HOURS),
    "nem12": "100,NEM12,202603010000,A,B\n200,N1,E1,E1,E1,,M1,kWh,30,\n300,20260301," + "0.5," * 48 + "A,,,,\n900\n",
    "green-button": ESPI,
    "pge": "TYPE,DATE,START TIME,END TIME,USAGE\n"
    + "".join(f"Electric,2026-03-01,{n:02d}:00,{n:02d}:59,0.{n}\n" for n in HOURS),
    "sce": "Energy consumption time period,Usage(Real energy in kilowatt-hours)\n"
    + "".join(f"2026-03-01 {n:02d}:00:00 to 2026-03-01 {n + 1:02d}:00:00,0.{n}\n" for n in HOURS),
    "home-assistant-statistics": "statistic_id,unit,start,sum\n"
    + "".join(f"sensor.e,kWh,2026-03-01T{n:02d}:00:00+00:00,{n * 1.5}\n" for n in HOURS),
    "home-assistant-history": "entity_id,state,last_changed\n"
    + "".join(f"sensor.e,{n * 1.5},2026-03-01T{n:02d}:00:00.000Z\n" for n in HOURS),
    "tasmota": "".join(
        f'tele/plug/SENSOR = {{"Time":"2026-03-01T{n:02d}:00:00","ENERGY":{{"Total":{n}.5}}}}\n' for n in HOURS
    ),
    "shelly-em": "timestamp,total_act_energy\n" + "".join(f"{1_772_323_200 + 60 * n},{n}.5\n" for n in HOURS),
    "influx-annotated-csv": "#group,false\n,result,table,_time,_value,_field,meter\n"
    + "".join(f",,0,2026-03-01T{n:02d}:00:00Z,{n % 2}.5,energy_kWh,m\n" for n in HOURS),
    "dlms": "0.0.1.0.0.255;1.0.1.8.0.255\n" + "".join(f"2026-03-01 {n:02d}:00:00;{1000 + n}\n" for n in HOURS),
    "ignition": "t_stamp,press_kWh\n" + "".join(f"2026-03-01 {n:02d}:00:00,{n}.5\n" for n in HOURS),
    "pi": "Tag,Timestamp,Value\n" + "".join(f"press,01-Mar-26 {n:02d}:00:00,{n}.5\n" for n in HOURS),
    "schneider": "Timestamp,Active Energy Delivered (kWh)\n"
    + "".join(f"2026-03-01 {n:02d}:00:00,{n}.5\n" for n in HOURS),
    "janitza": "Zeit;Wirkarbeit [Wh]\n" + "".join(f"14.03.2026 {n:02d}:00:00;{n}500\n" for n in HOURS),
}


def utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inside.csv", data)
    return out.getvalue()


def read(profile: str, data: bytes) -> Imported:
    """Import a file with the answers to what files of its profile leave open."""
    meaning = profiles()[profile]
    answers = Answers(
        meter="m" if meaning.meter_id is None else "",
        timezone="" if meaning.timezone else "Europe/Berlin",
        stamp=None if meaning.stamp else "begin",
        unit="kWh" if profile in ("influx-annotated-csv", "germany-load-profile") else "",
        kind="interval" if profile in ("influx-annotated-csv", "janitza") else "",
    )
    return read_file("f.csv", data, None, answers)


def readings(result: Imported) -> dict[tuple[str, str, int], tuple[int, int]]:
    return {
        (str(row.meter), str(row.channel), int(row.start_ms)): (int(row.interval_s), int(row.micro))
        for row in result.rows.itertuples()
    }


def test_there_is_a_file_of_every_profile() -> None:
    assert set(FILES) == set(profiles())


@pytest.mark.parametrize("profile", FILES)
def test_the_whole_file_is_read_and_in_any_wrapping_the_same(profile: str) -> None:
    data = FILES[profile].encode()
    expected = read(profile, data)
    assert readings(expected)
    assert expected.said["profile"].startswith(f"{profile}:")
    for same in (gzip.compress(data), zipped(data), utf16(data), b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n")):
        assert readings(read(profile, same)) == readings(expected)


@pytest.mark.parametrize("profile", FILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file_has_no_other_readings_than_the_whole(profile: str, data: st.DataObject) -> None:
    """A cell that is cut off may become a smaller number only in the last row."""
    whole = FILES[profile].encode()
    cut = data.draw(st.integers(1, len(whole)))
    expected = readings(read(profile, whole))
    try:
        found = readings(read(profile, whole[:cut]))
    except FileError as error:
        assert str(error).startswith("f.csv"), error
        return
    last = max((start for _, _, start in found), default=0)
    assert {key: value for key, value in found.items() if key[2] < last}.items() <= expected.items()
    assert found.keys() <= expected.keys()


@pytest.mark.parametrize("profile", FILES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_spoilt_bytes_give_an_error_or_possible_readings(profile: str, data: st.DataObject) -> None:
    """A reading that comes out of a file has a length, a channel and an energy that exist."""
    spoilt = bytearray(FILES[profile].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoilt) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"\0", b"\xff", b'"', b"\n", b";", b",", b"-", b"e99", b"NaN", b"9" * 40])
        )
        spoilt[place : place + data.draw(st.integers(0, 3))] = piece
    try:
        result = read(profile, bytes(spoilt))
    except FileError as error:
        assert str(error).startswith("f.csv"), error
        assert "Traceback" not in str(error)
        assert not any(
            f"{kind}:" in str(error) for kind in ("KeyError", "IndexError", "AttributeError", "TypeError")
        ), error
        return
    for (meter, channel, _), (interval_s, micro) in readings(result).items():
        assert meter
        assert channel in BILLED_CHANNELS or channel in MEASURED_CHANNELS
        assert 0 < interval_s <= MAX_INTERVAL_S
        assert channel in MEASURED_CHANNELS or 0 <= micro <= 10_000 * interval_s * 1_000_000 // 3600


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from(["f.csv", "f.json", "f.xml", "f.xlsx", "f.zip", "f.parquet", "f.csv.gz"])
)
def test_any_bytes_are_an_error_or_no_export(data: bytes, name: str) -> None:
    for prefix in (b"", b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"<", b"{", b"[", b"100,NEM12\n"):
        try:
            readings_of(name, io.BytesIO(prefix + data))
        except (FileError, NoExportError, UndecidedError) as error:
            assert name in str(error)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_no_map_or_a_map(data: bytes) -> None:
    try:
        readings_of("f.csv", io.BytesIO(FILES["datadis"].encode()), data.decode("utf-8", "replace") or "x")
    except FileError as error:
        assert str(error).startswith(("f.csv", "the map"))


def test_a_file_is_not_changed_by_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(FILES["datadis"])
    with file.open("rb") as raw:
        assert readings_of(str(file), raw) is not None
    assert file.read_text() == FILES["datadis"]
