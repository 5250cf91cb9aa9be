"""Price series: what each format says, and what is refused."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.prices import PriceError, PriceSeries
from flink_job.tariffs.series import read_series


def read(tmp_path: Path, content: object, timezone: str = "UTC") -> PriceSeries:
    path = tmp_path / "prices"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_series("spot", [str(path)], timezone)


def slots(series: PriceSeries) -> list[tuple[str, str, int]]:
    def utc(ms: Any) -> str:
        return f"{datetime.fromtimestamp(int(ms) / 1000, UTC):%m-%d %H:%M}"

    rows = zip(series.start_ms, series.end_ms, series.price_e9, strict=True)
    return [(utc(start), utc(end), int(price)) for start, end, price in rows]


def test_csv_of_half_hours_the_last_as_long_as_the_one_before(tmp_path: Path) -> None:
    series = read(tmp_path, "from,price\n2026-01-01T00:00:00Z,0.10\n2026-01-01T00:30:00Z,-0.25\n")
    assert slots(series) == [("01-01 00:00", "01-01 00:30", 100_000_000), ("01-01 00:30", "01-01 01:00", -250_000_000)]


def test_csv_in_local_time_through_the_repeated_hour(tmp_path: Path) -> None:
    # 25 October 2026 in Madrid: 02:00 comes twice, at 00:00 and 01:00 UTC.
    rows = "".join(f"2026-10-25T{hour}:00,0.{n}\n" for n, hour in enumerate(("01", "02", "02", "03"), start=1))
    series = read(tmp_path, "from,price\n" + rows, "Europe/Madrid")
    assert [start for start, _, _ in slots(series)] == ["10-24 23:00", "10-25 00:00", "10-25 01:00", "10-25 02:00"]


QUARTERS = [f"{hour:02d}:{minute:02d}" for hour in (1, 2, 2, 3) for minute in (0, 15, 30, 45)]


@pytest.mark.parametrize("order", ["oldest first", "newest first", "both passes side by side"])
def test_quarter_hours_of_the_repeated_hour(tmp_path: Path, order: str) -> None:
    """25 October 2026 in Berlin: 0.10 from 02:00 to 03:00 for the first time, 1.00 for the second time, 0 else.

    The first 02:00 is 00:00 UTC, the second 01:00 UTC; 1 kWh in each quarter hour costs 4 x 0.10 + 4 x 1.00 = 4.40.
    """
    prices = [0] * 4 + ["0.1"] * 4 + [1] * 4 + [0] * 4
    rows = [f"2026-10-25T{time}:00,{price}" for time, price in zip(QUARTERS, prices, strict=True)]
    if order == "newest first":
        rows.reverse()
    if order == "both passes side by side":
        rows.sort(key=lambda row: row[:19])
    series = read(tmp_path, "\n".join(["from,price", *rows]), "Europe/Berlin")
    assert [price for _, _, price in slots(series)] == [0] * 4 + [10**8] * 4 + [10**9] * 4 + [0] * 4
    assert slots(series)[4][0] == "10-25 00:00"
    assert slots(series)[8][0] == "10-25 01:00"
    assert (np.diff(series.start_ms) == 900_000).all()


def test_ends_in_the_repeated_hour(tmp_path: Path) -> None:
    hours = ("01", "02", "02", "03")
    rows = [f"2026-10-25T{a}:00,2026-10-25T{b}:00,1" for a, b in itertools.pairwise(hours)]
    series = read(tmp_path, "\n".join(["from,until,price", *rows]), "Europe/Berlin")
    assert [(start, end) for start, end, _ in slots(series)] == [
        ("10-24 23:00", "10-25 00:00"),
        ("10-25 00:00", "10-25 01:00"),
        ("10-25 01:00", "10-25 02:00"),
    ]


def test_local_times_need_a_time_zone(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("from,price\n2026-01-01T00:00,1\n")
    with pytest.raises(
        PriceError, match=r"the time 2026-01-01T00:00:00 has no UTC offset; give offsets, or --timezone"
    ):
        read_series("spot", [str(tmp_path / "prices")], None)


@pytest.mark.parametrize("missing", [1, 2, 6, 7])
def test_a_hole_in_regular_prices_has_no_price(tmp_path: Path, missing: int) -> None:
    """Quarter hours from 12:00, of which one is missing: it must not have the price of the one before it."""
    times = [f"2026-05-03T{12 + n // 4}:{n % 4 * 15:02d}:00Z" for n in range(9)]
    rows = "\n".join(["from,price", *(f"{time},0.{n + 1}" for n, time in enumerate(times) if n != missing)])
    series = read(tmp_path, rows)
    start = int(series.start_ms[0])
    assert series.mean_price(np.array([start + (missing - 1) * 900_000]), np.array([900_000])).tolist() == [
        missing * 10**8
    ]
    with pytest.raises(PriceError, match="no price at"):
        series.mean_price(np.array([start + missing * 900_000]), np.array([900_000]))
    assert int(series.end_ms[-1] - series.start_ms[-1]) == 900_000


@pytest.mark.parametrize(
    "hours",
    [
        (0, 1, 2, 3, 3.25, 3.5, 3.75, 4),  # hours, then quarter hours
        (0, 0.25, 0.5, 0.75, 1, 2, 3, 4),
        (0, 8, 22, 24, 32, 46, 48),  # three prices a day, each until the next
        (0, 16, 24, 40, 48, 64),
        (0, 24, 49, 73, 97),  # local days, one of 25 hours
    ],
)
def test_prices_until_the_next_one_leave_no_hole(tmp_path: Path, hours: tuple[float, ...]) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = (f"{(first + timedelta(hours=hour)).isoformat()},0.1" for hour in hours)
    series = read(tmp_path, "\n".join(["from,price", *rows]))
    assert series.end_ms[:-1].tolist() == series.start_ms[1:].tolist()


def test_csv_with_an_end_leaves_a_gap_open(tmp_path: Path) -> None:
    series = read(
        tmp_path,
        "from,until,price\n2026-01-01T00:00Z,2026-01-01T01:00Z,0.1\n2026-01-01T02:00Z,2026-01-01T03:00Z,0.2\n",
    )
    hour = 3_600_000
    start = int(series.start_ms[0])
    assert series.mean_price(np.array([start]), np.array([hour])).tolist() == [100_000_000]
    for begin, length in ((start + hour, hour), (start, 3 * hour), (start + 3 * hour, hour), (start - hour, hour)):
        with pytest.raises(PriceError, match="no price at"):
            series.mean_price(np.array([begin]), np.array([length]))


def test_octopus_agile(tmp_path: Path) -> None:
    # Newest first, pence, without VAT; the last price has no end; of payment methods direct debit counts.
    def rate(pence: float, begin: str, end: str | None, method: str | None = None) -> dict[str, Any]:
        return {
            "value_exc_vat": pence,
            "value_inc_vat": pence * 1.05,
            "valid_from": begin,
            "valid_to": end,
            "payment_method": method,
        }

    results = [
        rate(18.5, "2026-01-01T00:30:00Z", None),
        rate(-2.1, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z", "DIRECT_DEBIT"),
        rate(3.0, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z", "NON_DIRECT_DEBIT"),
    ]
    series = read(tmp_path, {"count": 3, "results": results})
    assert slots(series) == [("01-01 00:00", "01-01 00:30", -21_000_000), ("01-01 00:30", "01-01 01:00", 185_000_000)]


def test_pvpc_archive_of_a_day_of_23_hours(tmp_path: Path) -> None:
    # 29 March 2026: hours 00-01, 01-02, 03-04 ... 23 of them; EUR/MWh with a decimal comma.
    hours = [{"Dia": "29/03/2026", "Hora": f"{h:02d}-{h + 1:02d}", "PCB": f"{100 + h},50"} for h in range(24) if h != 2]
    series = read(tmp_path, {"PVPC": hours})
    assert len(series.start_ms) == 23
    assert slots(series)[:3] == [
        ("03-28 23:00", "03-29 00:00", 100_500_000),
        ("03-29 00:00", "03-29 01:00", 101_500_000),
        ("03-29 01:00", "03-29 02:00", 103_500_000),
    ]


def test_pvpc_indicator(tmp_path: Path) -> None:
    values = [
        {"value": 120.25, "datetime_utc": "2026-01-01T00:00:00Z", "geo_id": 8741},
        {"value": 999, "datetime_utc": "2026-01-01T00:00:00Z", "geo_id": 8742},
        {"value": 80, "datetime_utc": "2026-01-01T00:15:00Z", "geo_id": 8741},
    ]
    series = read(tmp_path, {"indicator": {"id": 1001, "values": values}})
    assert slots(series) == [("01-01 00:00", "01-01 00:15", 120_250_000), ("01-01 00:15", "01-01 00:30", 80_000_000)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("when,cost\n1,2\n", "columns from and price are required"),
        ("from,price\n2026-01-01T00:00Z,cheap\n", "prices"),
        ("from,price\n", "is empty"),
        ("from,price\n2026-01-01T00:00Z,1\n2026-01-01T00:00Z,2\n", "two prices from 2026-01-01"),
        ({"prices": []}, "unknown format"),
    ],
)
def test_what_is_no_series_is_refused(tmp_path: Path, content: object, problem: str) -> None:
    with pytest.raises(PriceError, match=problem):
        read(tmp_path, content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"spot: .*nowhere.csv: No such file"):
        read_series("spot", [str(tmp_path / "nowhere.csv")], "UTC")
