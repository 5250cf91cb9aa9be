"""Invariants after a run with faults, checked in the content of the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.lake import account
from flink_job.lake.database import LakeError, open_lake
from flink_job.lake.redrive import stored_records
from flink_job.schemas import ACCOUNTED
from tests.chaos.loads import Load
from tests.chaos.truth import Truth

HEALTHY_S = 60.0
#: Maximum memory of a TaskManager of 3000 MB and its Python workers.
MEMORY_LIMIT_MIB = 4500
#: Maximum costs per closed meter hour. Above it nearly all readings were late, because event time stopped or ran ahead.
#: Runs at a thousand readings per second have 7 to 100.
MOST_COSTS_AN_HOUR = 400
MONEY = ("energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")
#: (alert_id, change_number).
Change = tuple[str, int]
_LINES = ("energy", "demand", "fixed", "export", "tax", "cost")


@dataclass
class Outcome:
    """Result of a run.

    `raw_copies` are rows that sinks wrote again, which is allowed. `differing_copies` are those with other costs after
    another order of arrival; the latest copies must add up. `provisional_bills` differ in a peak that a correction
    lowered. `violated` are the fault's own invariants that do not hold. `problems` checks everything else.
    """

    fault: str
    version: str = ""
    hits: int = 0
    reordered: bool = False
    violated: list[str] = field(default_factory=list)
    trouble: dict[str, int] = field(default_factory=dict)
    harmless: bool = False
    published: int = 0
    accounted: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    raw_copies: int = 0
    differing_copies: int = 0
    wrong_rejected: int = 0
    bills: int = 0
    wrong_bills: int = 0
    provisional_bills: int = 0
    hours: int = 0
    alerts: int = 0
    raised_twice: int = 0
    broken_episodes: int = 0
    delivered: int = 0
    delivered_twice: int = 0
    undelivered: int = 0
    restarts: int = 0
    revived: int = 0
    healthy_after_s: float = 0.0
    orphans: int = 0
    peak_mib: int = 0
    seconds: float = 0.0

    def problems(self) -> list[str]:
        """Violated invariants."""
        lost = self.published - sum(self.accounted.values())
        found = {
            f"{lost} records are lost": lost > 0,
            f"{-lost} more records came out than were published": lost < 0,
            f"the outcomes are {self.accounted}, the oracle has {self.expected}": self._differ(),
            f"{self.wrong_bills} of {self.bills} bills differ from the oracle's": self.wrong_bills,
            "no bills came out": not self.bills,
            f"only {self.hours} hours of meters closed": self.hours * MOST_COSTS_AN_HOUR
            < self.accounted.get("costs", 0),
            f"{self.wrong_rejected} rejected records are not those injected, byte for byte": self.wrong_rejected,
            f"{self.raised_twice} episodes were raised more than once": self.raised_twice,
            f"{self.broken_episodes} alerts lack a change": self.broken_episodes,
            f"{self.delivered_twice} alert changes were delivered more than once": self.delivered_twice,
            f"{self.undelivered} alert changes were not delivered": self.undelivered,
            f"healthy only after {self.healthy_after_s:.0f} s": self.healthy_after_s > HEALTHY_S,
            "the proxy injected no failure": self.harmless,
            f"{self.orphans} Python workers are still running": self.orphans,
            f"{self.peak_mib} MiB of memory": self.peak_mib > MEMORY_LIMIT_MIB,
        }
        return [*self.violated, *(text for text, is_so in found.items() if is_so)]

    def _differ(self) -> bool:
        """True if outcomes differ from the oracle's.

        If a reading and its correction may arrive in either order, the second one is costed or a duplicate: only their
        sum is compared.
        """
        if not self.reordered:
            return self.accounted != self.expected

        def merged(counts: dict[str, int]) -> tuple[int, int, int]:
            return counts["costs"] + counts["duplicates"], counts["rejected"], counts["unpriced"]

        return merged(self.accounted) != merged(self.expected)

    def look(self, load: Load, truth: Truth, lake: Path) -> None:
        """Compare the lake with what must come of `load`."""
        self.expected = {
            "costs": truth.counts["costed"],
            "duplicates": truth.counts["duplicates"],
            "measurements": truth.counts["measured"],
            "rejected": load.rejected.total(),
            "unpriced": truth.counts["unpriced"],
        }
        try:
            found = account(lake)
        except LakeError:  # the lake is empty
            self.accounted = dict.fromkeys(ACCOUNTED, 0)
            return
        self.accounted = {name: found[name] for name in ACCOUNTED}
        stored = Counter(payload for _, payload in stored_records(lake, "rejected"))
        self.wrong_rejected = ((stored - load.rejected) + (load.rejected - stored)).total()
        self._look_at_bills(truth, lake)
        with open_lake(lake) as connection:
            hours = "SELECT COUNT(*) FROM kpis WHERE level = 'meter' AND window_s = 3600"
            ((self.hours,),) = connection.execute(hours).fetchall()
            raised = "SELECT COUNT(*), SUM(CASE WHEN n > 1 THEN 1 ELSE 0 END) FROM (SELECT COUNT(*) AS n FROM alerts "
            # An episode of historical readings is raised once more, as a live alert, if current readings continue it.
            raised += "WHERE state = 'raised' AND NOT historical GROUP BY alert_id)"
            ((self.alerts, twice),) = connection.execute(raised).fetchall()
            self.raised_twice = int(twice or 0)
            numbered = "SELECT COUNT(*) FROM (SELECT MAX(change_number) + 1 AS last, COUNT(*) AS n FROM alerts "
            numbered += "GROUP BY alert_id) WHERE last <> n"
            ((self.broken_episodes,),) = connection.execute(numbered).fetchall()

    def _look_at_bills(self, truth: Truth, lake: Path) -> None:
        content = ", ".join(("reading_id", *MONEY))
        sums = ", ".join(f"SUM({column})" for column in MONEY)
        with open_lake(lake) as connection:
            ((total, distinct, contents),) = connection.execute(
                f"SELECT COUNT(*), COUNT(DISTINCT reading_id), COUNT(DISTINCT ({content})) FROM costs_rows"
            ).fetchall()
            rows = connection.execute(
                "SELECT COALESCE(supply_point, meter_id), CAST(cycle_start AS DATE), tariff_id, tariff_version, "
                f"{sums} FROM costs GROUP BY ALL"
            ).fetchall()
        got = {row[:4]: dict(zip(_LINES, row[4:], strict=True)) for row in rows}
        right: Mapping[Any, Any] = truth.costs()
        self.raw_copies, self.differing_copies = total - distinct, contents - distinct
        self.bills = len(right)
        differing = {bill for bill in got.keys() | right.keys() if got.get(bill) != right.get(bill)}
        # A peak is not lowered by a later correction. With several slots the order of readings is not fixed, so such
        # rows are provisional, and `settle` settles the demand.
        lowered = differing & truth.lowered() & got.keys()
        provisional = {bill for bill in lowered if _differ_in_demand(got[bill], right[bill])}
        self.wrong_bills, self.provisional_bills = len(differing - provisional), len(provisional)

    def look_at_messages(self, messages: Sequence[dict[str, Any]], lake: Path) -> None:
        """Check that every change of a live alert was delivered once."""
        delivered = delivered_changes(messages)
        self.delivered = len(delivered)
        self.delivered_twice = sum(count > 1 for count in delivered.values())
        self.undelivered = len(live_changes(lake) - delivered.keys())


def _differ_in_demand(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """True if two bills differ only in the demand, and in the taxes and sum that follow from it."""
    return one["demand"] != other["demand"] and all(one[line] == other[line] for line in ("energy", "fixed", "export"))


def delivered_changes(messages: Sequence[dict[str, Any]]) -> Counter[Change]:
    """Number of messages by alert change."""
    return Counter((row["alert_id"], row["change_number"]) for message in messages for row in message["alerts"])


def live_changes(lake: Path) -> set[Change]:
    """Alert changes of which people are notified."""
    live = "SELECT alert_id, change_number FROM alerts WHERE NOT historical AND NOT muted AND inhibited_by = ''"
    try:
        with open_lake(lake) as connection:
            return set(connection.execute(live).fetchall())
    except LakeError:  # the lake is empty
        return set()
