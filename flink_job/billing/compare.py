"""Rates the same readings under several tariffs and ranks the tariffs by cost."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from flink_job.billing.documents import load_document
from flink_job.billing.run import Pricing, Totals, amount_text, rate_meters
from flink_job.io.records import InputError
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.model import TariffError


def alternatives(folder: Path, timezone: str, currency: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return (files by tariff_id, errors of invalid documents) of a folder. Raises InputError."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files: dict[str, list[str]] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            tariff = load_document(str(path), timezone, currency).tariff
        except TariffError as error:
            faults.append(str(error))
            continue
        files.setdefault(tariff.tariff_id, []).append(str(path))
    if not files and not faults:
        raise InputError(f"{folder}: no *.json in it")
    return files, faults


class Comparison:
    """Totals of the same meters under each tariff."""

    def __init__(self, meters: Mapping[str, Intervals]) -> None:
        self.meters = meters
        self.results: dict[str, tuple[str, Totals, Mapping[str, int]]] = {}

    def add(self, name: str, pricing: Pricing) -> None:
        """Rate all meters under a tariff."""
        totals, by_meter = Totals(), {}
        for rated in rate_meters(pricing, self.meters, False, lambda done: None):
            totals.add(rated)
            by_meter[rated.meter_id] = sum(billed.bill.total for billed in rated.bills)
        self.results[name] = (pricing.versions[0].currency, totals, by_meter)

    def ranked(self) -> Sequence[tuple[str, str, Totals]]:
        """Return (tariff, currency, totals), grouped by currency, cheapest first."""
        found = [(name, currency, totals) for name, (currency, totals, _) in self.results.items()]
        return sorted(found, key=lambda one: (one[1], one[2].total))

    def table(self, with_lines: bool) -> Table:
        """Return a table of the totals, with their lines if requested, and the difference from the cheapest [%]."""
        charged = [line for line in LINES if any(totals.lines[line] for _, _, totals in self.ranked())]
        shown = charged if with_lines else []
        table = Table(title="Cheapest first", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("tariff", no_wrap=True)
        table.add_column("")
        for line in shown:
            table.add_column(line, justify="right")
        table.add_column("total", justify="right", style="bold")
        table.add_column("more", justify="right")
        cheapest: dict[str, int] = {}
        for name, currency, totals in self.ranked():
            best = cheapest.setdefault(currency, totals.total)
            more = f"+{(totals.total - best) / abs(best):.1%}" if best and totals.total > best else ""
            amounts = [f"{totals.lines[line] / 1e6:,.0f}" for line in shown]
            table.add_row(name, currency, *amounts, f"{totals.total / 1e6:,.2f}", more)
        return table

    def write(self, path: Path) -> None:
        """Write a CSV file with the cost of each meter under each tariff."""
        with path.open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out, lineterminator="\n")
            rows.writerow(["tariff_id", "currency", "meter_id", "cost"])
            for name, currency, _ in self.ranked():
                for meter, amount in sorted(self.results[name][2].items()):
                    rows.writerow([name, currency, meter, amount_text(amount)])
