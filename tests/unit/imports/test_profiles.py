"""Each profile reads a small file of its format; the expected readings are written by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flink_job.imports.detect import profiles
from tests.unit.imports.files import energies, imported, shown


def test_datadis_numbers_the_hours_of_the_local_day() -> None:
    """Madrid has UTC+1 on 28 March; on the 29th hour 3 begins at 01:00 UTC, 03:00 CEST."""
    text = (
        "cups;fecha;hora;consumo_kWh;metodoObtencion;energiaVertida_kWh\n"
        "ES1;2026/03/28;24:00;0,403;Real;0\nES1;2026/03/29;01:00;1,5;Real;0\n"
        "ES1;2026/03/29;02:00;2;Real;0\nES1;2026/03/29;03:00;3;Real;0\n"
    )
    expected = {
        "2026-03-28T22:00": "0.403",
        "2026-03-28T23:00": "1.5",
        "2026-03-29T00:00": "2",
        "2026-03-29T01:00": "3",
    }
    assert energies(imported(text)) == expected


def test_hour_25_exists_only_when_clocks_go_back() -> None:
    """25 October has 25 hours: hour 25 begins at 22:00 UTC + 24 h; 26 October has 24."""
    text = "cups;fecha;hora;consumo_kWh\nES1;2026/10/25;25:00;1\nES1;2026/10/26;24:00;2\nES1;2026/10/26;25:00;3\n"
    found = imported(text)
    assert energies(found) == {"2026-10-25T22:00": "1", "2026-10-26T22:00": "2"}
    assert [row.line for row in found.refused] == [4]


def test_a_spanish_distributor_has_export_beside_import() -> None:
    text = "CUPS;Fecha;Hora;AE_kWh;AS_kWh\nES1;14/03/2026;1;0,5;1,25\nES1;14/03/2026;2;0,25;0\n"
    assert shown(imported(text)) == [
        ("2026-03-13T23:00", 3600, "export", Decimal("1.25")),
        ("2026-03-13T23:00", 3600, "import", Decimal("0.5")),
        ("2026-03-14T00:00", 3600, "export", Decimal(0)),
        ("2026-03-14T00:00", 3600, "import", Decimal("0.25")),
    ]


def test_enedis_states_power_at_the_end_of_the_interval() -> None:
    """4,030 W over half an hour that ends at 00:30+01:00 are 2.015 kWh from 23:00 UTC."""
    text = (
        "\ufeffIdentifiant PRM;Type de donnees;Unite;Pas en minutes\n123;Courbe de charge;W;30\nHorodate;Valeur\n"
        "2026-03-01T00:30:00+01:00;4030\n2026-03-01T01:00:00+01:00;5142\n"
    )
    found = imported(text)
    assert energies(found) == {"2026-02-28T23:00": "2.015", "2026-02-28T23:30": "2.571"}
    assert set(found.rows["meter"]) == {"123"}


def test_uk_rows_have_46_half_hours_when_clocks_go_forward() -> None:
    """On 29 March London goes from 00:59 to 02:00; the 3rd half hour begins at 01:00 UTC, the 46th at 22:30 UTC."""
    times = [f"{n // 2:02d}:{n % 2 * 30:02d}" for n in [*range(1, 48), 0]]
    values = [*(str(n) for n in range(1, 47)), "", ""]
    text = f"MPAN,Meas,Date,{','.join(times)}\n10,AI,29/03/2026,{','.join(values)}\n"
    found = energies(imported(text))
    assert (len(found), found["2026-03-29T01:00"], found["2026-03-29T22:30"]) == (46, "3", "46")


def test_nem12_keeps_market_time() -> None:
    """Market time is UTC+10 all year: 00:00 of 1 October is 14:00 UTC of 30 September, also in Sydney's summer."""
    days = ["300,20261005," + ",".join(["1.5"] * 48) + ",A,,,20261006120000,"]
    text = "100,NEM12,202604011200,A,B\n200,6123,E1,E1,E1,N1,1,Wh,30,\n" + days[0] + "\n900\n"
    found = imported(text)
    assert (len(found.rows), shown(found)[0]) == (48, ("2026-10-04T14:00", 1800, "import", Decimal("0.0015")))


def test_green_button_scales_by_the_power_of_ten() -> None:
    """2015000 x 10^-3 Wh = 2.015 kWh."""
    text = (
        '<feed xmlns:e="http://naesb.org/espi"><e:ReadingType><e:accumulationBehaviour>4</e:accumulationBehaviour>'
        "<e:flowDirection>1</e:flowDirection><e:powerOfTenMultiplier>-3</e:powerOfTenMultiplier><e:uom>72</e:uom>"
        "</e:ReadingType><e:IntervalBlock><e:IntervalReading><e:timePeriod><e:duration>3600</e:duration>"
        "<e:start>1772352000</e:start></e:timePeriod><e:value>2015000</e:value></e:IntervalReading></e:IntervalBlock></feed>"
    )
    assert shown(imported(text, meter="m")) == [("2026-03-01T08:00", 3600, "import", Decimal("2.015"))]


def test_octopus_newest_first_with_offsets() -> None:
    text = (
        "Consumption (kwh), Estimated Cost Inc. Tax (p), Start, End\n"
        "0.442, 11.05, 2026-03-31T23:30:00+01:00, 2026-04-01T00:00:00+01:00\n"
        "0.302, 7.55, 2026-03-31T23:00:00+01:00, 2026-03-31T23:30:00+01:00\n"
    )
    assert energies(imported(text, meter="o")) == {"2026-03-31T22:00": "0.302", "2026-03-31T22:30": "0.442"}


def test_tasmota_totals_are_a_register_in_local_time() -> None:
    """In Madrid, UTC+1: the read at 00:05 less that at 00:00 is the energy from 23:00 UTC."""
    text = "".join(
        f'tele/plug/SENSOR {{"Time":"2026-03-28T00:0{n}:00","ENERGY":{{"Total":{total},"Power":5}}}}\n'
        for n, total in ((0, "1066.000"), (5, "1066.065"))
    )
    found = imported(text, meter="t", timezone="Europe/Madrid")
    assert shown(found) == [("2026-03-27T23:00", 300, "import", Decimal("0.065"))]


def test_home_assistant_statistics_are_sums_at_the_end_of_the_hour() -> None:
    """The first sum, 1.01, is no larger than a step (1.57): the statistics began with it."""
    text = (
        "statistic_id\tunit\tstart\tstate\tsum\ns:g\tkWh\t28.03.2026 00:00\t5013.41\t1.01\n"
        "s:g\tkWh\t28.03.2026 01:00\t5014.98\t2.58\n"
    )
    assert energies(imported(text, timezone="Europe/Madrid")) == {
        "2026-03-27T23:00": "1.01",
        "2026-03-28T00:00": "1.57",
    }


def test_a_silence_of_a_register_is_spread_and_said() -> None:
    """3 kWh from 01:00 to 04:00 while the sensor was unavailable: 1 kWh an hour."""
    rows = [("00", "10"), ("01", "11"), ("02", "unavailable"), ("03", "unavailable"), ("04", "14"), ("05", "15")]
    text = "entity_id,state,last_changed\n" + "".join(f"s.g,{v},2026-03-28T{h}:00:00Z\n" for h, v in rows)
    found = imported(text)
    assert set(energies(found).values()) == {"1"} and len(found.rows) == 5
    assert [row.line for row in found.refused] == [4, 5]
    assert "3 intervals" in found.notes[0]


def test_dlms_registers_are_read_at_the_time() -> None:
    text = (
        "0.0.1.0.0.255;0.0.96.10.1.255;1.0.1.8.0.255;1.0.2.8.0.255\n"
        "2026-03-29 01:45:00;08;123456000;0\n2026-03-29 03:00:00;08;123458015;0\n2026-03-29 03:15:00;08;123460520;0\n"
    )
    found = imported(text, meter="d", timezone="Europe/Madrid")
    assert energies(found) == {"2026-03-29T00:45": "2.015", "2026-03-29T01:00": "2.505"}


def test_german_profiles_have_day_first_and_decimal_commas_in_cp1252() -> None:
    text = "Zählpunkt;Datum;Uhrzeit;Wert (kWh);Status\nDE1;28.10.2026;00:15;1.234,5;W\nDE1;28.10.2026;00:30;0,25;W\n"
    found = imported(text.encode("cp1252"), meter="DE1", stamp="end", profile="germany-load-profile")
    assert energies(found) == {"2026-10-27T23:00": "1234.5", "2026-10-27T23:15": "0.25"}


@pytest.mark.parametrize(
    ("text", "start", "kwh"),
    [
        (
            "TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST\n"
            "Electric usage,2026-07-01,00:00,00:14,0.21,$0.1\nElectric usage,2026-07-01,00:15,00:29,0.22,$0.1\n",
            "2026-07-01T07:00",
            "0.21",
        ),
        (
            "Energy consumption time period,Usage(Real energy in kilowatt-hours)\n"
            "2026-07-01 00:00:00 to 2026-07-01 00:15:00,0.21\n2026-07-01 00:15:00 to 2026-07-01 00:30:00,0.22\n",
            "2026-07-01T07:00",
            "0.21",
        ),
        (
            "timestamp,total_act_energy,total_act_ret_energy\n1782889200,3.5,0\n1782889260,4,0\n",
            "2026-07-01T07:00",
            "0.0035",
        ),
    ],
    ids=["pge", "sce", "shelly"],
)
def test_american_portals_and_shelly(text: str, start: str, kwh: str) -> None:
    assert energies(imported(text, meter="m"))[start] == kwh


def test_line_protocol_and_annotated_csv() -> None:
    lines = "power,meter=a\\ b kwh=1.5 1772352000000000000\npower,meter=a\\ b kwh=2.5 1772352900000000000\n"
    found = imported(lines, stamp="begin", kind="interval")
    assert energies(found) == {"2026-03-01T08:00": "1.5", "2026-03-01T08:15": "2.5"}
    assert set(found.rows["meter"]) == {"a b"}
    text = (
        "#datatype,string,long,dateTime:RFC3339,double,string,string\n#group,false,false,false,false,true,true\n"
        "#default,_result,,,,,\n,result,table,_time,_value,_field,meter\n"
        ",,0,2026-03-01T08:00:00Z,1.5,kwh,a\n,,0,2026-03-01T08:15:00Z,2.5,kwh,a\n"
    )
    assert energies(imported(text, unit="kWh", stamp="begin")) == {"2026-03-01T08:00": "1.5", "2026-03-01T08:15": "2.5"}


def test_historians_have_states_between_numbers() -> None:
    text = 't_stamp,A/kWh,B/kWh\n"Mar 7, 2026, 12:45 AM",10,20\n"Mar 7, 2026, 1:00 AM",11,22.5\n'
    found = imported(text, timezone="Etc/UTC")
    assert {(row.meter, row.micro) for row in found.rows.itertuples()} == {("A/kWh", 1_000_000), ("B/kWh", 2_500_000)}
    text = "Tag,Timestamp,Value\nA,07-Mar-26 00:00:00,10\nA,07-Mar-26 00:15:00,Bad Input\nA,07-Mar-26 00:30:00,11\n"
    assert [row.line for row in imported(text, timezone="Etc/UTC").refused] == [3]


def test_every_profile_has_a_title_and_columns() -> None:
    for name, profile in profiles().items():
        assert profile.title and profile.columns and profile.header, name
