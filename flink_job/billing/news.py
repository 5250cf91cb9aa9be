"""News: what came after the last settlement and may change bills, as spans of days of supply points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from flink_job.billing.agreements import Book
from flink_job.billing.news_files import LakeFile, fetched, listed
from flink_job.billing.news_state import Seen, Span, seen_now
from flink_job.metering.changes import zone_of
from flink_job.metering.contract import Contract
from flink_job.metering.membership import memberships
from flink_job.metering.zones import zone_named
from flink_job.supplies.membership import Supply, supplies_of
from flink_job.tariffs.registry import UnknownTariffError
from flink_job.tenants import DEFAULT, qualified, split

#: Tables whose new rows are news.
TABLES = ("costs", "unpriced", "contract_changes")
_DAY = timedelta(days=1)
_READINGS = """
    SELECT COALESCE(tenant, 'default'), meter_id, COALESCE(supply_point, meter_id), MIN(interval_start),
      MAX(interval_start + to_seconds(interval_s)) - INTERVAL 1 MILLISECOND
    FROM read_parquet(?, union_by_name = true, hive_partitioning = false)
"""
_WAITING = "WHERE reason IN ('no_price', 'no_supply')"
_CHANGES = """
    SELECT COALESCE(tenant, 'default'), meter_id, fields, changed_from, changed_until - INTERVAL 1 MILLISECOND
    FROM read_parquet(?, union_by_name = true, hive_partitioning = false)
"""
_OPEN = """
    SELECT tenant, supply_point, cycle_start, max_by(cycle_end, settled_at) AS cycle_end
    FROM read_parquet(?) GROUP BY ALL HAVING max_by(is_open, settled_at) AND cycle_end <= ?
"""


@dataclass
class News:
    """Spans of days [first, after) with news by supply point, the days of the lake, and what is known from now on.

    `is_all`: everything is news, as news have never been settled. `spans` may hold days that the lake does not have.
    """

    spans: defaultdict[str, list[Span]]
    extent: Span
    seen: Seen
    is_all: bool = False
    supplies: Mapping[str, Supply] = field(default_factory=dict)


def find_news(
    lake: str, book: Book, before: Seen | None, now: datetime, allowance: timedelta, work: Path
) -> News | None:
    """Return the news of a lake since the settlement `before`; None for a lake without readings.

    `now` is UTC-aware. `allowance`: time after the end of a cycle at which it is settled finally. Only new files are
    read, to copies in `work`.
    """
    files = {table: list(listed(lake, table)) for table in TABLES}
    extent = _extent(lake, [*files["costs"], *files["unpriced"]], work)
    if extent is None:
        return None
    seen = seen_now(now, (file for found in files.values() for file in found), book)
    supplies = {supply.supply_point: supply for supply in supplies_of(book.contracts, book.terms)[0]}
    news = News(defaultdict(list), extent, seen, before is None, supplies)
    if before is None:
        return news
    for supply_point, spans in before.left.items():
        news.spans[supply_point] += spans
    finder = _Finder(book, supplies, news)
    for table in TABLES:
        new = fetched(lake, [file for file in files[table] if before.is_new(file)], work)
        if new:
            finder.add_rows(table, new)
    finder.add_tariffs(before)
    settled = fetched(lake, listed(lake, "settlements"), work)
    if settled:
        finder.add_closed(settled, min((now - allowance).date(), extent[1] - _DAY))
    return news


def _extent(lake: str, files: Sequence[LakeFile], work: Path) -> Span | None:
    """Return the UTC days [first, after) of the readings of a lake, by its partitions; else by its rows."""
    days = [file.day for file in files]
    known = [day for day in days if day is not None]
    if len(known) < len(days):
        paths = fetched(lake, [file for file in files if file.day is None], work)
        sql = "SELECT MIN(interval_start), MAX(interval_start) FROM read_parquet(?, union_by_name = true)"
        known += [moment.date() for moment in _selected(sql, paths)[0] if moment is not None]
    return (min(known), max(known) + _DAY) if known else None


class _Finder:
    """Adds what is new to the spans of `news`."""

    def __init__(self, book: Book, supplies: Mapping[str, Supply], news: News) -> None:
        self.book, self.supplies, self.news = book, supplies, news

    def add_rows(self, table: str, files: Sequence[Path]) -> None:
        """Add the time of new readings, or of new changes of contracts."""
        if table == "contract_changes":
            for tenant, meter, fields, since, until in _selected(_CHANGES, files):
                # The supply that the meter was in before is not known from its contract now.
                moved = self.supplies if "supply_point" in fields else ()
                self._add(qualified(tenant, meter), moved, since, until)
            return
        where = _WAITING if table == "unpriced" else ""
        for tenant, meter, supply_point, since, until in _selected(f"{_READINGS}{where} GROUP BY ALL", files):
            self._add(qualified(tenant, meter), [qualified(tenant, supply_point)], since, until)

    def add_tariffs(self, before: Seen) -> None:
        """Add the time for which tariffs or prices are new, have changed or are gone."""
        since: dict[str, date] = {}
        for key in _changed(before.tariffs, self.news.seen.tariffs):
            tariff_id, _, start = key.rpartition("|")
            since[tariff_id] = min(since.get(tariff_id, date.max), date.fromisoformat(start))
        months: dict[str, list[Span]] = {}
        for key in _changed(before.prices, self.news.seen.prices):
            name, _, month = key.rpartition("|")
            first = date.fromisoformat(f"{month}-01") - _DAY
            months.setdefault(name, []).append((first, first + timedelta(days=33)))
        for supply_point, supply in self.supplies.items():
            for tariff_id in {assigned.tariff_id for assigned in supply.contract.assignments}:
                if tariff_id in since:
                    self.news.spans[supply_point].append((since[tariff_id], self.news.extent[1]))
                for name in self._series(tariff_id):
                    self.news.spans[supply_point] += months.get(name, [])

    def add_closed(self, files: Sequence[Path], until: date) -> None:
        """Add the cycles that ended by a day and were open when they were settled."""
        rows = _selected(_OPEN, files, until.isoformat())
        for tenant, supply_point, *cycle in rows:
            first, after = map(date.fromisoformat, cycle)
            self.news.spans[qualified(tenant or DEFAULT, supply_point)].append((first, after))

    def _series(self, tariff_id: str) -> set[str]:
        """Return the qualified names of the price series that a tariff may use."""
        try:
            names = {tariff.dynamic.series for tariff in self.book.registry.versions(tariff_id) if tariff.dynamic}
        except UnknownTariffError:
            return set()
        return {found for name in names for found in (qualified(split(tariff_id)[0], name), qualified(DEFAULT, name))}

    def _add(self, meter: str, named: Mapping[str, Supply] | Sequence[str], since: datetime, until: datetime) -> None:
        contract = self.book.contracts.get(meter)
        found = {*named, *([] if contract is None else _supplies_of(contract))}
        for supply_point in found:
            zone = zone_named(zone_of(self.supplies[supply_point].contract)) if supply_point in self.supplies else UTC
            first, last = (_local_day(moment, zone) for moment in (since, until))
            self.news.spans[supply_point].append((first, last + _DAY))


def _supplies_of(contract: Contract) -> Iterator[str]:
    """Yield the supply points that a meter is or was in."""
    return (member.supply_point for member in memberships(contract) if member.role != "sensor")


def _local_day(moment: datetime, zone: object) -> date:
    """Return the local day of a UTC time without an offset; of the first and the last years, its UTC day."""
    if not 1970 < moment.year < 9999:
        return moment.date() - (_DAY if moment.year >= 9999 else timedelta())
    return moment.replace(tzinfo=UTC).astimezone(zone).date()  # type: ignore[arg-type]


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    return (key for key in {**before, **after} if before.get(key) != after.get(key))


def _selected(sql: str, files: Sequence[Path], *more: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query whose first parameter is a list of files."""
    return duckdb.execute(sql, [list(map(str, files)), *more]).fetchall()
