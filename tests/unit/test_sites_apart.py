"""Sites of a tenant are apart: what one sees is what it would see alone, and together they are the whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.api.runtime.parameters import LEVELS, QUERIES, bind
from deploy.lake.catalog import empty_lake
from flink_job.lake.views import VIEWS

DAYS = {"from": "2026-03-01", "to": "2026-03-31"}
BEGIN = datetime(2026, 3, 30, 22)
TENANTS, SITES, METERS = ("acme", "default"), ("north", "south", "west"), ("m-1", "m-2")
#: `gaps` shows when a meter left a site and began at another: it has neither energy nor money.
APART = sorted(set(VIEWS) - {"gaps"})
MONEY = ("energy_kwh", "export_kwh", "reactive_kvarh", "cost", "adjustment")


class Reading(NamedTuple):
    """The varied fields of a reading: tenant, site of its meter, quarter hour, quantity."""

    tenant: str
    meter: str
    site: str
    slot: int
    kwh: int


@st.composite
def moving(draw: st.DrawFn) -> list[Reading]:
    """Readings of meters of two tenants with the same names, each meter moving between sites in mid-cycle."""
    found = []
    for tenant in TENANTS:
        for meter in METERS:
            sites = draw(st.lists(st.sampled_from(SITES), min_size=1, max_size=4))
            slots = draw(st.lists(st.integers(0, 11), min_size=1, max_size=8))
            for number, slot in enumerate(slots):
                site = sites[number * len(sites) // len(slots)]
                found.append(Reading(tenant, meter, site, slot, draw(st.integers(0, 9999))))
    return found


def inserted(lake: duckdb.DuckDBPyConnection, readings: Iterable[Reading]) -> None:
    """The lake with a cost and an alert for each reading, and nothing else."""
    for table in ("costs_rows", "alerts_rows"):
        lake.execute(f"DELETE FROM {table}")
    for number, reading in enumerate(readings):
        start = BEGIN + timedelta(minutes=7.5 * reading.slot)
        common: dict[str, Any] = {
            "tenant": reading.tenant,
            "site_path": f"{reading.site}/hall/line/{reading.meter}",
            "cost": Decimal(reading.kwh) / 7,
            "currency": "EUR",
            "arrival": start,
            "event_date": f"{start:%Y-%m-%d}",
        }
        day = {"day_start": datetime(2026, 3, 30, 22), "day_s": 86400}
        cost = {
            "reading_id": str(number), "meter_id": reading.meter, "interval_start": start, "interval_s": 450,
            "revision": number, "energy_kwh": reading.kwh, "export_kwh": number, "reactive_kvarh": number,
            "cycle_start": "2026-03-01", "tariff_id": "flat", "tariff_version": "1", "is_first": True,
            "shard": "s", "record_position": str(number), "costed_at": start, **day,
        }  # fmt: skip
        alert = {
            "alert_id": reading.meter, "change_number": number, "rule_id": "r", "state": "raised", "title": "t",
            "entity": reading.meter, "episode_start": BEGIN, "event_time": start, "historical": False, "muted": False,
        }  # fmt: skip
        _insert(lake, "costs_rows", {**common, **cost})
        _insert(lake, "alerts_rows", {**common, **alert})


def _insert(lake: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    lake.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def rows_of(lake: duckdb.DuckDBPyConnection, sql: str) -> Counter[tuple[tuple[str, Any], ...]]:
    """The rows of a query, with the names of their columns, without order."""
    result = lake.execute(sql)
    names = [column[0] for column in result.description or ()]
    return Counter(tuple(zip(names, row, strict=True)) for row in result.fetchall())


def asked(tenant: str, sites: set[str] | None) -> Iterator[tuple[str, str]]:
    """(name, SQL) of every question, at every level where it has such, as Athena runs it."""
    for name, question in QUERIES.items():
        levels = [{"level": level} for level in LEVELS] if "level" in question.conditions else [{}]
        for level in levels:
            sql, literals = bind(question, {**DAYS, **level}, sites, tenant)
            yield f"{name} {level}", re.sub(r"\?", lambda _, left=iter(literals): next(left), sql)


def viewed(tenant: str, site: str) -> Iterator[tuple[str, str]]:
    """(name, SQL) of every view, of one site."""
    for name in APART:
        yield name, f"SELECT * FROM {name} WHERE tenant = '{tenant}' AND site = '{site}'"


def totals(rows: Counter[tuple[tuple[str, Any], ...]]) -> Counter[str]:
    """Sums of energy and money, and how many rows have none of them."""
    found: Counter[str] = Counter()
    for row, times in rows.items():
        for name, value in row:
            if name in MONEY and value is not None:
                found[name] += value * times
    return found


WHOLE, ALONE = empty_lake(), empty_lake()


@settings(max_examples=4, deadline=None, derandomize=True)
@given(moving())
def test_a_site_sees_what_it_would_see_alone(readings: list[Reading]) -> None:
    inserted(WHOLE, readings)
    for tenant, site in sorted({(r.tenant, r.site) for r in readings}):
        own = [r for r in readings if (r.tenant, r.site) == (tenant, site)]
        # The numbers of rows are part of them, so the others are taken away rather than left out.
        inserted(ALONE, readings)
        for table in ("costs_rows", "alerts_rows"):
            ALONE.execute(
                f"DELETE FROM {table} WHERE tenant <> '{tenant}' OR split_part(site_path, '/', 1) <> '{site}'"
            )
        for name, sql in [*asked(tenant, {site}), *viewed(tenant, site)]:
            assert rows_of(WHOLE, sql) == rows_of(ALONE, sql), (name, tenant, site, own)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(moving())
def test_sites_together_are_the_whole(readings: list[Reading]) -> None:
    inserted(WHOLE, readings)
    for tenant in TENANTS:
        energy = sum(r.kwh for r in readings if r.tenant == tenant)
        for (name, every), parts in zip(
            asked(tenant, None), zip(*(asked(tenant, {site}) for site in SITES), strict=True), strict=True
        ):
            if name.startswith("alerts"):
                continue  # the costs of an alert's changes are running totals
            whole = totals(rows_of(WHOLE, every))
            assert whole["energy_kwh"] == energy, name
            assert whole == sum((totals(rows_of(WHOLE, sql)) for _, sql in parts), Counter()), name
