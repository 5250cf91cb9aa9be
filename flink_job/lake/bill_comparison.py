"""Comparison of bills: of two lakes written from the same readings, or of a lake before and after a replay."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from flink_job.lake.database import needed_tables, open_lake, query
from flink_job.lake.selection import Selection
from flink_job.tenants import DEFAULT

KEY = ("tenant", "supply_point", "site", "cycle_start", "tariff_id", "tariff_version")
#: Columns that must be equal to the last digit.
AMOUNTS = (
    "energy_kwh",
    "export_kwh",
    "energy_cost",
    "demand_cost",
    "fixed_cost",
    "export_credit",
    "other_cost",
    "tax",
    "cost",
)
_BILLS = f"SELECT {', '.join((*KEY, *AMOUNTS))} FROM bills"
#: Bills of the readings that were costed before an instant, from the newest copies of rows before a limit.
_BILLS_OF_COPIES = f"""
SELECT {", ".join(KEY).replace("site,", "split_part(site_path, '/', 1) AS site,")},
  {", ".join(f"SUM({amount})" for amount in AMOUNTS)}
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY tenant, reading_id, event_date ORDER BY costed_at DESC) AS copy_number,
    MIN(costed_at) OVER (PARTITION BY tenant, reading_id, event_date) AS first_costed_at
  FROM (SELECT * REPLACE (
    COALESCE(tenant, '{DEFAULT}') AS tenant, COALESCE(supply_point, meter_id) AS supply_point
  ) FROM costs_rows WHERE COALESCE(role, 'main') IN ('main', 'part')) AS delivered
  WHERE costed_at < CAST(? AS TIMESTAMP)
) AS copies
WHERE copy_number = 1 AND first_costed_at < CAST(? AS TIMESTAMP) AND cycle_start >= ?
GROUP BY ALL
"""
_EVER = datetime(9999, 1, 1)

Bills = dict[tuple[object, ...], tuple[Decimal, ...]]


class Difference(NamedTuple):
    """An amount that differs between two lakes; None if a lake does not contain the bill."""

    bill: tuple[object, ...]
    amount: str
    one: Decimal | None
    other: Decimal | None

    def __str__(self) -> str:
        bill = " ".join(f"{name}={value}" for name, value in zip(KEY, self.bill, strict=True))
        return f"{bill}: {self.amount} is {_shown(self.one)} and {_shown(self.other)}"


class BillComparison(NamedTuple):
    """The number of bills compared, and every amount that differs."""

    bills: int
    differences: list[Difference]


def compare(one: Path, other: Path, since: date | None = None) -> BillComparison:
    """Compare the bills of two lakes, of cycles that begin on `since` (a local date) or later. Raises LakeError."""
    return _compared(bills(one, since), bills(other, since))


def compare_replay(lake: Path, replayed_at: datetime, since: date | None = None) -> BillComparison:
    """Compare the costs of readings before a replay at `replayed_at` (UTC) with their current costs.

    A job that starts without state costs the records retained by the stream again, and the newest copies are valid.
    A bill is unchanged if the stream reached back to the start of its cycle. Raises LakeError.
    """
    return _compared(*(_bills_of_copies(lake, until, replayed_at, since) for until in (replayed_at, _EVER)))


def after_replay(env: str, replayed_at: datetime, retention_h: int) -> str:
    """Return the instructions for a job that started without state and reads its stream again."""
    return (
        f"the job started without state and reads the last {retention_h} h of readings again. Once it has caught up: "
        f"python -m deploy compare --env {env} --replayed-at {replayed_at:%Y-%m-%dT%H:%M:%S}; "
        "where bills differ, python -m flink_job settle settles them (docs/use/operate.md#state-that-does-not-fit)"
    )


def _compared(ours: Bills, theirs: Bills) -> BillComparison:
    keys = sorted(ours.keys() | theirs.keys(), key=str)
    differences = [found for key in keys for found in _differences(key, ours.get(key), theirs.get(key))]
    return BillComparison(len(keys), differences)


def selected(since: date | None) -> Selection:
    """Return the part of a lake needed for bills of cycles since a date; a local day may start a day earlier in UTC."""
    return Selection(needed_tables(_BILLS), None if since is None else since - timedelta(days=1))


def bills(lake: Path, since: date | None = None) -> Bills:
    """Return the amounts of each bill of cycles that begin on `since` or later. Raises LakeError."""
    first = "" if since is None else since.isoformat()
    _, rows = query(lake, f"{_BILLS} WHERE cycle_start >= '{first}'", selected(since))
    return _by_key(rows)


def _bills_of_copies(lake: Path, until: datetime, replayed_at: datetime, since: date | None) -> Bills:
    first = "" if since is None else since.isoformat()
    with open_lake(lake, selected(since)) as connection:
        return _by_key(connection.execute(_BILLS_OF_COPIES, [until, replayed_at, first]).fetchall())


def _by_key(rows: list[tuple[object, ...]]) -> Bills:
    width = len(KEY)
    return {tuple(row[:width]): tuple(Decimal(str(amount)) for amount in row[width:]) for row in rows}


def _differences(
    key: tuple[object, ...], one: tuple[Decimal, ...] | None, other: tuple[Decimal, ...] | None
) -> list[Difference]:
    if one is None or other is None:
        at = AMOUNTS.index("cost")
        return [Difference(key, "cost", one[at] if one else None, other[at] if other else None)]
    pairs = zip(AMOUNTS, one, other, strict=True)
    return [Difference(key, name, a, b) for name, a, b in pairs if a != b]


def _shown(amount: Decimal | None) -> str:
    return "absent" if amount is None else str(amount)
