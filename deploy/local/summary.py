"""Summary of a run: records by outcome, bills and their shares, alerts, example queries."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.local.lake import Received
from flink_job.lake.database import query
from flink_job.schemas import ACCOUNTED

#: The meters with contracts of their own are one row for each site and cycle.
_BILLS = """
WITH named AS (
  SELECT *, CASE WHEN meter_id = supply_point THEN 'others' ELSE supply_point END AS supply FROM bills
)
SELECT site, supply, strftime(CAST(cycle_start AS DATE), '%-d %b') AS since, COUNT(*) AS bills, SUM(energy_kwh) AS kwh,
  SUM(energy_cost) AS energy, SUM(demand_cost) AS demand, SUM(cost - energy_cost - demand_cost) AS other,
  SUM(cost) AS cost, currency AS "in", status
FROM named
GROUP BY site, supply, cycle_start, currency, status ORDER BY site, supply = 'others', supply, cycle_start, status
"""
_SHARES = """
WITH named AS (
  SELECT *,
    CASE WHEN ends_with(meter_id, ':rest') THEN 'the rest' ELSE regexp_replace(site_path, '/[^/]*$', '') END AS "to"
  FROM shared_costs
)
SELECT supply_point AS supply, "to" AS shared_to, SUM(energy_kwh) AS kwh, SUM(energy_cost) AS energy,
  SUM(demand_cost) AS demand, SUM(cost - energy_cost - demand_cost) AS other, SUM(cost) AS cost, currency AS "in",
  CAST(ROUND(100 * SUM(cost) / SUM(SUM(cost)) OVER (PARTITION BY supply_point)) AS INTEGER) AS percent
FROM named
GROUP BY supply_point, "to", currency
QUALIFY COUNT(*) OVER (PARTITION BY supply_point) > 1
ORDER BY supply_point, "to" = 'the rest', SUM(cost) DESC
"""
_ALERTS = """
SELECT rule_id, severity, state, COUNT(*) AS changes, COUNT(*) FILTER (historical) AS historical
FROM alerts GROUP BY ALL ORDER BY ALL
"""
_CORRECTED = "SELECT COUNT(*) FROM kpis WHERE emission = 'corrected'"
QUERIES = (
    "SELECT entity, window_start, cost, currency, completeness, load_factor FROM kpis_1d WHERE level = 'line'",
    "SELECT local_date, meter_id, SUM(energy_kwh) kwh, SUM(cost) cost FROM shared_costs GROUP BY ALL",
    "SELECT reason, COUNT(*) FROM rejected GROUP BY ALL",
)
#: Changes of alerts that are shown of a notification.
SHOWN_CHANGES = 2
#: Arguments of the commands that the summary suggests.
REPLAY = (
    "sample_data/rules.yaml --readings sample_data/readings.ndjson.gz --contracts sample_data/contracts.ndjson "
    "--rule hot --limits 75,79,85"
)
RERATE = "--contracts sample_data/contracts.ndjson --tariffs sample_data/tariffs"


def print_summary(
    console: Console,
    lake: Path,
    published: int,
    account: dict[str, int],
    messages: list[dict[str, Any]],
    firehose: dict[str, Received],
    seconds: float,
) -> bool:
    """Print the summary; returns True if every published record is accounted for exactly once."""
    closes = published == sum(account[name] for name in ACCOUNTED)
    console.print()
    console.print("Every record accounted for" if closes else "RECORDS ARE MISSING OR COUNTED TWICE", style="bold")
    table = Table("records", "")
    table.add_row("published", f"{published:,}")
    for name in ACCOUNTED:
        table.add_row(name, f"{account[name]:,}")
    console.print(table)
    console.print(_table(lake, _BILLS, "Bills so far, by supply point; others: meters with contracts of their own"))
    console.print(_table(lake, _SHARES, "Bills shared to lines, and the rest that no submeter measured"))
    console.print(_table(lake, _ALERTS, "Alerts"))
    _print_messages(console, messages)
    _print_firehose(console, firehose)
    corrected = query(lake, _CORRECTED)[1][0][0]
    console.print(
        f"{account['kpis']:,} KPI rows, {corrected:,} of them corrected after late readings; {seconds:.0f} s in all"
    )
    console.print(f"Parquet: {lake}/<table>/ (a copy of the bucket). Try:", highlight=False)
    for sql in QUERIES:
        console.print(f'  .venv/bin/python -m flink_job query {lake} "{sql}"', highlight=False, soft_wrap=True)
    console.print(f"  .venv/bin/python -m flink_job settle {lake} {RERATE}", highlight=False, soft_wrap=True)
    console.print(f"  .venv/bin/python -m flink_job alerts replay {REPLAY}", highlight=False, soft_wrap=True)
    return closes


def _print_firehose(console: Console, firehose: dict[str, Received]) -> None:
    """Print the records that Firehose received and would bill, if the endpoint has these metrics."""
    records, size, billed = (
        sum(getattr(found, name) for found in firehose.values()) for name in ("records", "size_bytes", "billed_bytes")
    )
    if billed:
        console.print(f"Firehose: {records:,} records of {size / 1e6:.1f} MB, billed as {billed / 1e6:.1f} MB")


def _print_messages(console: Console, messages: list[dict[str, Any]]) -> None:
    """Print the number of notifications and the beginning of one."""
    changes = sum(len(message["alerts"]) for message in messages)
    console.print(
        f"Sent {len(messages)} notifications of {changes} alert changes; historical changes are only recorded."
    )
    for message in messages:
        if any(row["state"] == "raised" for row in message["alerts"]):
            text = "\n\n".join(message["text"].split("\n\n")[:SHOWN_CHANGES])
            console.print(Panel(Text(text), title=Text(message["subject"]), title_align="left", width=100))
            return


def _table(lake: Path, sql: str, title: str) -> Table:
    columns, rows = query(lake, sql)
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0))
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if rows and isinstance(rows[0][i], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_shown(name, value) for name, value in zip(columns, row, strict=True)))
    return table


def _shown(name: str, value: object) -> str:
    """Format a value: costs to cents, other decimals as whole numbers."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}" if name == "cost" else f"{round(value):,}"
    return value if isinstance(value, str) else f"{value:,}"
