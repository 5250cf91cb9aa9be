"""Green Button feeds of several meters and quantities: joined by links, in any order of the entries."""

from __future__ import annotations

from itertools import permutations

import pytest

from flink_job.imports.model import FileError
from flink_job.imports.questions import UndecidedError
from tests.unit.imports.files import imported

HOST = "https://x.example/espi/1_1/resource"
USER = f"{HOST}/RetailCustomer/1/UsagePoint"
START = 1_772_323_200  # 2026-03-01 00:00 UTC


def entry(own: str, content: str, related: str = "", title: str = "", up: str = "") -> str:
    links = f'<link rel="self" href="{own}"/>' + (f'<link rel="related" href="{related}"/>' if related else "")
    links += f'<link rel="up" href="{up}"/>' if up else ""
    return f"<entry>{links}<title>{title}</title><content>{content}</content></entry>"


def espi(name: str, content: str = "") -> str:
    return f'<{name} xmlns="http://naesb.org/espi">{content}</{name}>'


def kind(number: int, uom: int, direction: int = 1) -> str:
    content = (
        f"<uom>{uom}</uom><powerOfTenMultiplier>3</powerOfTenMultiplier><flowDirection>{direction}</flowDirection>"
    )
    return entry(f"{HOST}/ReadingType/{number}", espi("ReadingType", content))


def meter(point: int, title: str = "") -> str:
    return entry(f"{USER}/{point}", espi("UsagePoint"), title=title)


def series(point: int, reading: int, type_: int, value: int) -> list[str]:
    own = f"{USER}/{point}/MeterReading/{reading}"
    period = f"<timePeriod><duration>3600</duration><start>{START}</start></timePeriod>"
    block = espi("IntervalBlock", f"<IntervalReading>{period}<value>{value}</value></IntervalReading>")
    return [
        entry(own, espi("MeterReading"), related=f"{HOST}/ReadingType/{type_}"),
        entry(f"{own}/IntervalBlock/9", block, up=f"{own}/IntervalBlock"),
    ]


def feed(*entries: str) -> str:
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'


def found(text: str, **answers: str) -> set[tuple[str, str, int]]:
    rows = imported(text, name="f.xml", **answers).rows
    return {(str(row.meter), str(row.channel), int(row.micro) // 1_000_000) for row in rows.itertuples()}


def test_values_belong_to_their_meters_in_any_order_of_the_entries() -> None:
    """Powers of ten make 7 of meter A 7 kWh."""
    parts = [kind(1, 72), meter(11, "A"), meter(12, "B"), *series(11, 1, 1, 7), *series(12, 1, 1, 9)]
    for order in list(permutations(parts))[::97]:
        assert found(feed(*order)) == {("A", "import", 7), ("B", "import", 9)}


def test_meters_without_titles_have_the_numbers_of_their_usage_points() -> None:
    parts = [kind(1, 72), meter(11, "same"), meter(12, "same"), *series(11, 1, 1, 7), *series(12, 1, 1, 9)]
    assert found(feed(*parts)) == {("11", "import", 7), ("12", "import", 9)}


def test_one_meter_has_import_and_export_by_their_types() -> None:
    """Both types stand after both series: only the links tell them apart."""
    parts = [meter(11), *series(11, 1, 1, 7), *series(11, 2, 2, 3), kind(2, 72, 19), kind(1, 72)]
    assert found(feed(*parts), meter="m") == {("m", "import", 7), ("m", "export", 3)}


def test_gas_in_the_same_feed_is_refused_and_said() -> None:
    parts = [kind(1, 72), kind(2, 119), meter(11), *series(11, 1, 1, 7), *series(11, 2, 2, 3)]
    result = imported(feed(*parts), name="f.xml", meter="m")
    assert [(row.reason, row.text[:7]) for row in result.refused] == [("other_quantity", "uom 119")]
    assert len(result.rows) == 1


def test_a_feed_of_gas_alone_is_an_error() -> None:
    with pytest.raises(FileError, match=r"f\.xml: uom 119 of a ReadingType is no electricity"):
        imported(feed(kind(2, 119), meter(11), *series(11, 2, 2, 3)), name="f.xml", meter="m")


def test_one_name_does_not_fit_several_meters() -> None:
    parts = [kind(1, 72), meter(11), meter(12), *series(11, 1, 1, 7), *series(12, 1, 1, 9)]
    with pytest.raises(FileError, match=r"f\.xml: it has several meters"):
        imported(feed(*parts), name="f.xml", meter="m")


def test_a_single_meter_without_a_name_is_asked() -> None:
    with pytest.raises(UndecidedError, match="does not name its meter"):
        imported(feed(kind(1, 72), meter(11), *series(11, 1, 1, 7)), name="f.xml")


def test_blocks_without_a_link_to_one_of_several_meters_are_an_error() -> None:
    block = espi("IntervalBlock", "<IntervalReading><value>1</value></IntervalReading>")
    with pytest.raises(FileError, match="several UsagePoints, and blocks without a link"):
        imported(feed(kind(1, 72), meter(11), meter(12), f"<entry><content>{block}</content></entry>"), name="f.xml")
