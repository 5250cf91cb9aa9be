"""What must hold after a run, whatever was done to it: looked at in the content of what came out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.demo import SAMPLES
from deploy.local.lake import account
from flink_job.lake.database import LakeError, open_lake
from flink_job.lake.redrive import stored_records
from flink_job.schemas import ACCOUNTED
from tests.chaos.loads import Load
from tests.harness.oracle import Oracle

HEALTHY_S = 60.0
#: What a TaskManager of 3000 MB and its Python workers may take at most.
MEMORY_LIMIT_MIB = 4500
#: With fewer hours of meters closed than one for so many costs, nearly all readings were late: time has stood still or
#: run off. Runs at a thousand readings a second have one for 7 to 100.
MOST_COSTS_AN_HOUR = 400
MONEY = ("energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")
#: (alert_id, change_number).
Change = tuple[str, int]
_LINES = ("energy", "demand", "fixed", "export", "tax", "cost")


@dataclass
class Outcome:
    """What a run showed. `raw_copies` are rows written again, which sinks may do, `differing_copies` those of them that
    cost their reading otherwise, as another order of arrival does; the newest copies must add up. `provisional_bills`
    differ in a peak that a correction lowered. Everything else must be as `problems` wants it.
    """

    fault: str
    version: str = ""
    hits: int = 0
    reordered: bool = False
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
    told: int = 0
    told_twice: int = 0
    untold: int = 0
    restarts: int = 0
    revived: int = 0
    healthy_after_s: float = 0.0
    orphans: int = 0
    peak_mib: int = 0
    seconds: float = 0.0

    def problems(self) -> list[str]:
        """What must not be, in words."""
        lost = self.published - sum(self.accounted.values())
        found = {
            f"{lost} records are lost": lost > 0,
            f"{-lost} records more came out than went in": lost < 0,
            f"the outcomes are {self.accounted}, the oracle has {self.expected}": self._differ(),
            f"{self.wrong_bills} of {self.bills} bills differ from the oracle's": self.wrong_bills,
            "no bills came out": not self.bills,
            f"only {self.hours} hours of meters closed": self.hours * MOST_COSTS_AN_HOUR
            < self.accounted.get("costs", 0),
            f"{self.wrong_rejected} rejected records are not those injected, byte for byte": self.wrong_rejected,
            f"{self.raised_twice} episodes were raised more than once": self.raised_twice,
            f"{self.broken_episodes} alerts lack a change": self.broken_episodes,
            f"{self.told_twice} changes of alerts were told more than once": self.told_twice,
            f"{self.untold} changes of alerts were not told": self.untold,
            f"healthy only after {self.healthy_after_s:.0f} s": self.healthy_after_s > HEALTHY_S,
            "the proxy met no call to spoil": self.harmless,
            f"{self.orphans} Python workers are left": self.orphans,
            f"{self.peak_mib} MiB of memory": self.peak_mib > MEMORY_LIMIT_MIB,
        }
        return [text for text, is_so in found.items() if is_so]

    def _differ(self) -> bool:
        """Whether outcomes are others than the oracle's. Where a reading and its correction come in either order, the
        one that comes second is costed or a repeat: only their sum is known.
        """
        if not self.reordered:
            return self.accounted != self.expected

        def merged(counts: dict[str, int]) -> tuple[int, int, int]:
            return counts["costs"] + counts["duplicates"], counts["rejected"], counts["unpriced"]

        return merged(self.accounted) != merged(self.expected)

    def look(self, load: Load, tariffs: Sequence[dict[str, Any]], lake: Path) -> None:
        """Compare the lake with an independent reckoning of `load`."""
        oracle = _reckoned(load, tariffs)
        self.expected = {
            "costs": oracle.counts["costed"],
            "duplicates": oracle.counts["duplicates"],
            "rejected": load.rejected.total(),
            "unpriced": oracle.counts["unpriced"],
        }
        try:
            found = account(lake)
        except LakeError:  # nothing has come out at all
            self.accounted = dict.fromkeys(ACCOUNTED, 0)
            return
        self.accounted = {name: found[name] for name in ACCOUNTED}
        stored = Counter(payload for _, payload in stored_records(lake, "rejected"))
        self.wrong_rejected = ((stored - load.rejected) + (load.rejected - stored)).total()
        self._look_at_bills(oracle, lake)
        with open_lake(lake) as connection:
            hours = "SELECT COUNT(*) FROM kpis WHERE level = 'meter' AND window_s = 3600"
            ((self.hours,),) = connection.execute(hours).fetchall()
            raised = "SELECT COUNT(*), SUM(CASE WHEN n > 1 THEN 1 ELSE 0 END) FROM (SELECT COUNT(*) AS n FROM alerts "
            # What old readings showed is raised once more, as a live alert, when fresh ones go on with it.
            raised += "WHERE state = 'raised' AND NOT historical GROUP BY alert_id)"
            ((self.alerts, twice),) = connection.execute(raised).fetchall()
            self.raised_twice = int(twice or 0)
            numbered = "SELECT COUNT(*) FROM (SELECT MAX(change_number) + 1 AS last, COUNT(*) AS n FROM alerts "
            numbered += "GROUP BY alert_id) WHERE last <> n"
            ((self.broken_episodes,),) = connection.execute(numbered).fetchall()

    def _look_at_bills(self, oracle: Oracle, lake: Path) -> None:
        content = ", ".join(("reading_id", *MONEY))
        sums = ", ".join(f"SUM({column})" for column in MONEY)
        with open_lake(lake) as connection:
            ((total, distinct, contents),) = connection.execute(
                f"SELECT COUNT(*), COUNT(DISTINCT reading_id), COUNT(DISTINCT ({content})) FROM costs_rows"
            ).fetchall()
            rows = connection.execute(
                f"SELECT meter_id, CAST(cycle_start AS DATE), tariff_id, tariff_version, {sums} FROM costs GROUP BY ALL"
            ).fetchall()
        got = {row[:4]: dict(zip(_LINES, row[4:], strict=True)) for row in rows}
        right: dict[Any, Any] = oracle.costs()
        self.raw_copies, self.differing_copies = total - distinct, contents - distinct
        self.bills = len(right)
        differing = {bill for bill in got.keys() | right.keys() if got.get(bill) != right.get(bill)}
        # A peak from before a correction that lowers it stays. Which readings came before it is a matter of order, and
        # several slots do not keep it: such rows are provisional, and `rerate` settles the demand.
        lowered = differing & oracle.lowered() & got.keys()
        provisional = {bill for bill in lowered if _differ_in_demand(got[bill], right[bill])}
        self.wrong_bills, self.provisional_bills = len(differing - provisional), len(provisional)

    def look_at_messages(self, messages: Sequence[dict[str, Any]], lake: Path) -> None:
        """Every change of a live alert is told once."""
        told = told_changes(messages)
        self.told = len(told)
        self.told_twice = sum(count > 1 for count in told.values())
        self.untold = len(live_changes(lake) - told.keys())


def _differ_in_demand(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the demand of two bills differs, and nothing but what follows from it: the taxes and the sum."""
    return one["demand"] != other["demand"] and all(one[line] == other[line] for line in ("energy", "fixed", "export"))


def told_changes(messages: Sequence[dict[str, Any]]) -> Counter[Change]:
    """How often each change is in messages."""
    return Counter((row["alert_id"], row["change_number"]) for message in messages for row in message["alerts"])


def live_changes(lake: Path) -> set[Change]:
    """Changes of alerts that people are to be told of."""
    live = "SELECT alert_id, change_number FROM alerts WHERE NOT historical AND NOT muted AND inhibited_by = ''"
    try:
        with open_lake(lake) as connection:
            return set(connection.execute(live).fetchall())
    except LakeError:  # nothing has come out at all
        return set()


def _reckoned(load: Load, more: Sequence[dict[str, Any]]) -> Oracle:
    contracts = (SAMPLES / "contracts.ndjson").read_bytes().splitlines()
    tariffs = [json.loads(path.read_text()) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    oracle = Oracle(contracts, [*tariffs, *more])
    for record in load.readings():
        oracle.add(json.loads(record))
    return oracle
