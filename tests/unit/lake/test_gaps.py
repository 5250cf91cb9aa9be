"""Missing readings, by hand: what is unpriced is not missing, and silence is where the job expected readings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pytest

from deploy.lake.catalog import empty_lake

DAY = datetime(2026, 6, 1)


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_lake() as connection:
        yield connection


def add(lake: duckdb.DuckDBPyConnection, table: str, **row: object) -> None:
    columns = {"tenant": "default", "event_date": "2026-06-01", **row}
    marks = ", ".join("?" * len(columns))
    lake.execute(f"INSERT INTO {table}_rows ({', '.join(columns)}) VALUES ({marks})", list(columns.values()))


def reading(lake: duckdb.DuckDBPyConnection, table: str, meter: str, hour: int, **more: object) -> None:
    """A reading of an hour, in `costs` of site f or in another table; a record of its own."""
    start = DAY + timedelta(hours=hour)
    row = {"meter_id": meter, "interval_start": start, "reading_id": f"{meter}-{hour}", "shard": table}
    place = {"site_path": f"f/p/l/{meter}", "is_first": True} if table == "costs" else {}
    length = {"interval_s": 3600} if table != "duplicates" else {}
    add(lake, table, **{**row, "record_position": f"{meter}-{hour}", **place, **length, **more})


def expected(
    lake: duckdb.DuckDBPyConnection, meter: str, hour: int, readings: int = 0, expected_readings: int = 1
) -> None:
    """An hour of a meter in table `kpis`."""
    start = DAY + timedelta(hours=hour)
    window = {"window_start": start, "window_end": start + timedelta(hours=1), "window_s": 3600}
    names = {"kpi_id": f"{meter}-{hour}", "level": "meter", "entity": meter, "site_path": f"f/p/l/{meter}"}
    add(lake, "kpis", **window, **names, readings=readings, expected_readings=expected_readings)


def gaps(lake: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """(meter, kind, first hour, hour of the end, missing readings)."""
    sql = "SELECT meter_id, kind, hour(gap_start), hour(gap_end), missing_readings FROM gaps ORDER BY ALL"
    return lake.execute(sql).fetchall()


def test_an_unpriced_reading_is_not_missing(lake: duckdb.DuckDBPyConnection) -> None:
    """Of the hours 0 to 6, a has 0, 3 and 6; 1 and 5 are unpriced, 5 twice and 3 also as a correction. 2 and 4 miss."""
    for hour in (0, 3, 6):
        reading(lake, "costs", "a", hour)
    for position, hour in (("x", 1), ("y", 5), ("z", 5), ("c", 3)):
        reading(lake, "unpriced", "a", hour, reading_id=position, record_position=position)
    assert gaps(lake) == [("a", "between", 2, 3, 1), ("a", "between", 4, 5, 1)]


def test_readings_without_any_price_have_gaps_between_them(lake: duckdb.DuckDBPyConnection) -> None:
    """Nothing is said of the time before and after the readings of a meter whose site is not known."""
    reading(lake, "costs", "a", 0)
    reading(lake, "costs", "a", 1)
    reading(lake, "unpriced", "stranger", 2)
    reading(lake, "unpriced", "stranger", 5)
    reading(lake, "unpriced", "other", 9)
    assert gaps(lake) == [("stranger", "between", 3, 5, 2)]


def test_a_contracted_meter_that_never_sent_is_listed(lake: duckdb.DuckDBPyConnection) -> None:
    """The job expected a reading of b in each of four hours, and 4 of c in each of two; d waits for a tariff."""
    reading(lake, "costs", "a", 0)
    for hour in range(4):
        expected(lake, "b", hour)
        expected(lake, "d", hour)
    for hour in (2, 3):
        expected(lake, "c", hour, expected_readings=4)
    for hour in range(4):
        reading(lake, "unpriced", "d", hour)
    found = gaps(lake)
    assert [row for row in found if row[1] == "never"] == [("b", "never", 0, 4, 4), ("c", "never", 2, 4, 8)]
    assert lake.execute("SELECT interval_s FROM gaps WHERE kind = 'never' ORDER BY meter_id").fetchall() == [
        (3600,),
        (900,),
    ]
    assert not [row for row in found if row[0] == "d" and row[1] != "after_last"]


def test_silence_after_the_last_reading_lasts_as_long_as_readings_were_expected(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    """a and b, alone at their site, end at 2:00; the job expected readings of a until 5:00."""
    for meter in ("a", "b"):
        reading(lake, "costs", meter, 0)
        reading(lake, "costs", meter, 1)
    for hour in range(5):
        expected(lake, "a", hour, readings=int(hour < 2))
    assert gaps(lake) == [("a", "after_last", 2, 5, 3)]


def test_a_reading_that_was_published_again_and_priced_is_no_longer_unpriced(lake: duckdb.DuckDBPyConnection) -> None:
    """a was unpriced and is costed by another record, b is a duplicate of what came since; c still waits. So does d,
    whose cost is superseded: its record was read again and is unpriced.
    """
    for meter in ("a", "b", "c"):
        reading(lake, "unpriced", meter, 0, unpriced_at=DAY)
    reading(lake, "costs", "a", 0, costed_at=DAY)
    reading(lake, "duplicates", "b", 0, deduplicated_at=DAY)
    reading(lake, "costs", "d", 0, costed_at=DAY, shard="s")
    reading(lake, "unpriced", "d", 0, unpriced_at=DAY + timedelta(minutes=1), shard="s")
    assert lake.execute("SELECT meter_id FROM unpriced ORDER BY 1").fetchall() == [("c",), ("d",)]


def test_the_wait_of_one_tenant_is_not_ended_by_another(lake: duckdb.DuckDBPyConnection) -> None:
    reading(lake, "unpriced", "a", 0, tenant="one")
    reading(lake, "costs", "a", 0, tenant="two")
    assert lake.execute("SELECT tenant FROM unpriced").fetchall() == [("one",)]
