"""Summary of a run: records by outcome, costs by site, most expensive meters, alerts, example queries."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.local.lake import Received
from flink_job.lake.database import query
from flink_job.schemas import ACCOUNTED

_COST_BY_SITE = """
SELECT site, currency, COUNT(DISTINCT meter_id) AS meters, ROUND(SUM(energy_kwh)) AS kwh,
  ROUND(SUM(energy_cost)) AS energy, ROUND(SUM(demand_cost)) AS demand, ROUND(SUM(fixed_cost)) AS fixed,
  ROUND(SUM(export_credit)) AS export, ROUND(SUM(tax)) AS tax, SUM(cost) AS cost
FROM (SELECT *, split_part(site_path, '/', 1) AS site FROM costs) AS sites
GROUP BY ALL ORDER BY site
"""
_TOP_METERS = """
SELECT meter_id, site_path, string_agg(DISTINCT tariff_id, ', ') AS tariff, SUM(energy_kwh) AS kwh,
  SUM(cost) AS cost, currency
FROM costs GROUP BY meter_id, site_path, currency
QUALIFY ROW_NUMBER() OVER (PARTITION BY currency ORDER BY SUM(cost) DESC) <= 3
ORDER BY currency, cost DESC
"""
_ALERTS = """
SELECT rule_id, severity, state, COUNT(*) AS changes, COUNT(*) FILTER (historical) AS historical
FROM alerts GROUP BY ALL ORDER BY ALL
"""
_CORRECTED = "SELECT COUNT(*) FROM kpis WHERE emission = 'corrected'"
QUERIES = (
    "SELECT entity, window_start, cost, currency, completeness, load_factor FROM kpis_1d WHERE level = 'line'",
    "SELECT meter_id, tou_period, SUM(energy_kwh) kwh, SUM(cost) cost FROM costs GROUP BY ALL LIMIT 20",
    "SELECT reason, COUNT(*) FROM rejected GROUP BY ALL",
)
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
    console.print(_table(lake, _COST_BY_SITE, "Cost by site"))
    console.print(_table(lake, _TOP_METERS, "Most expensive meters"))
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
    """Print the number of notifications and the text of one."""
    changes = sum(len(message["alerts"]) for message in messages)
    console.print(
        f"Sent {len(messages)} notifications of {changes} alert changes; historical changes are only recorded."
    )
    for message in messages:
        if any(row["state"] == "raised" for row in message["alerts"]):
            console.print(Panel(Text(message["text"]), title=Text(message["subject"]), title_align="left", width=100))
            return


def _table(lake: Path, sql: str, title: str) -> Table:
    columns, rows = query(lake, sql)
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if rows and isinstance(rows[0][i], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_shown(name, value) for name, value in zip(columns, row, strict=True)))
    return table


def _shown(name: str, value: object) -> str:
    """Format a value: costs with all digits, other decimals as whole numbers."""
    if isinstance(value, Decimal) and name != "cost":
        return f"{value:,.0f}"
    return value if isinstance(value, str) else f"{value:,}"
