"""Price series beside the tariffs: parts, corrections, tenants, prices that are not known yet, faulty files."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_job.io.locations import FolderLocation
from flink_job.tariffs.model import Dynamic
from flink_job.tariffs.price_book import PriceBook

HOUR_MS = 3_600_000
#: 2026-03-01T00:00Z.
FIRST = 1_772_323_200_000
RULE = Dynamic("spot", 1_000_000_000, 10_000_000, None, None)


def write(folder: Path, name: str, *prices: str, hour: int = 0) -> None:
    lines = [f"2026-03-01T{hour + n:02d}:00:00Z,{price}" for n, price in enumerate(prices)]
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(["from,price", *lines]) + "\n")


@pytest.fixture
def book(tmp_path: Path) -> PriceBook:
    return PriceBook(FolderLocation(tmp_path))


def at(book: PriceBook, hour: float, tenant: str = "default") -> tuple[int, bool] | None:
    """Price of a quarter hour [1e-9], with its adder of 0.01, and whether it is estimated."""
    found = book.price(RULE, tenant, FIRST + int(hour * HOUR_MS), 900_000)
    return None if found is None else tuple(found)


def test_parts_of_a_series_and_corrections(book: PriceBook, tmp_path: Path) -> None:
    write(tmp_path, "spot.1.csv", "0.10", "0.20")
    write(tmp_path, "spot.2.csv", "0.30", "0.40", hour=2)
    assert book.load()
    assert not book.load()
    assert [at(book, hour) for hour in (0, 1.5, 2, 3)] == [
        (x, False) for x in (110_000_000, 210_000_000, 310_000_000, 410_000_000)
    ]
    write(tmp_path, "spot.2.corrected.csv", "0.35", hour=2)
    assert book.load()
    assert at(book, 2) == (360_000_000, False)
    assert at(book, 3) == (410_000_000, False)


def test_the_last_known_price_stands_in(book: PriceBook, tmp_path: Path) -> None:
    write(tmp_path, "spot.csv", "0.10", "0.20")
    book.load()
    assert at(book, 9) == (210_000_000, True)
    # A quarter hour of which the last part has no price.
    found = book.price(RULE, "default", FIRST + 2 * HOUR_MS - 60_000, 900_000)
    assert found == (210_000_000, True)
    assert book.price(RULE, "default", FIRST - HOUR_MS, 900_000) is None
    assert book.price(Dynamic("other", 1, 0, None, None), "default", FIRST, 900_000) is None


def test_a_tenant_has_its_own_series_and_those_of_the_default_tenant(book: PriceBook, tmp_path: Path) -> None:
    write(tmp_path, "spot.csv", "0.10")
    write(tmp_path, "acme/spot.csv", "0.50")
    book.load()
    assert [at(book, 0, tenant) for tenant in ("default", "acme", "other")] == [
        (110_000_000, False),
        (510_000_000, False),
        (110_000_000, False),
    ]
    assert book.series("acme")["spot"].price_e9[0] == 500_000_000


def test_a_faulty_file_keeps_its_last_prices(book: PriceBook, tmp_path: Path) -> None:
    write(tmp_path, "spot.csv", "0.10")
    book.load()
    (tmp_path / "spot.csv").write_text("from,price\n2026-03-01T00:00:00Z,many\n")
    book.load()
    assert at(book, 0) == (110_000_000, False)
    assert list(book.faults) == ["spot.csv"]
    (tmp_path / "spot.csv").write_text("from,price\n2026-03-01T00:00:00,0.2\n2026-03-01T01:00:00,0.2\n")
    book.load()
    assert "offset" in book.faults["spot.csv"] or "zone" in book.faults["spot.csv"]
