"""Settlement: rates the billing cycles of the lake again, in event-time order, and computes adjustments and shares.

The stream prices readings as they arrive. Charges that depend on the order of readings, on the whole billing cycle or
on time without readings, and changes after a reading was priced, are settled here: the costs of the stream and the
adjustments add up to the exact bill of each supply point, and so do the shares of its meters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from flink_job.billing.adjustments import Adjustment, rows_of
from flink_job.billing.agreements import Book
from flink_job.billing.contract_changes import Changes, newest_issued_at
from flink_job.billing.measured import hold_costs, last_instant_ms, meters_in, prepare, supplies_in
from flink_job.billing.settled_shares import shared
from flink_job.billing.settled_supply import Known, Settled, settle_supply, withdrawn
from flink_job.billing.steady import prepare_steady
from flink_job.errors import MeteringError
from flink_job.lake.database import needed_tables, open_lake
from flink_job.lake.selection import EVERYTHING, Selection
from flink_job.metering.contract import Contract
from flink_job.metering.groups import attached_contracts
from flink_job.metering.membership import memberships
from flink_job.schemas import BATCH_TABLES
from flink_job.supplies.membership import Supply, SupplyError, SupplyFault, supplies_of
from flink_job.tenants import plain


@dataclass
class Rerated:
    """Adjustments of all billing cycles, and the reasons why supplies or meters could not be settled, by name.

    `rows` are the rows of table `adjustments` of each supply. `issued`: the newest version of the contracts of each
    supply, see `newest_issued_at`. `changes`: the contracts that changed what had been priced.
    """

    adjustments: list[Adjustment] = field(default_factory=list)
    rows: list[pa.Table] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    issued: dict[str, datetime | None] = field(default_factory=dict)
    changes: Changes | None = None


#: A query that names the tables read by the settlement.
_READ = "SELECT 1 FROM costs, unpriced, register_reads, unsettled_changes"


def selected(first: date | None = None, last: date | None = None) -> Selection:
    """Return the input of `settle` and the tables that it has written before; the dates limit the partitions."""
    tables = needed_tables(_READ)
    return Selection(None if tables is None else tables | BATCH_TABLES.keys(), first, last)


def is_covered(cycle_start: date, cycle_end: date, selection: Selection) -> bool:
    """Return whether the selected UTC dates include all local days of a billing cycle, in any time zone.

    Local time is up to 14 hours ahead of UTC, so a cycle may begin in the partition of the day before its first day,
    and up to 12 hours behind UTC, so it may end in the partition of the day after its last day.
    """
    begins = selection.first is None or cycle_start > selection.first
    return begins and (selection.last is None or cycle_end <= selection.last)


@dataclass(frozen=True)
class Wanted:
    """Billing cycles to settle: those that overlap one of the spans [first day, day after the last) of their supply.

    `until_ms`: an instant until which readings of the lake are known, also if it is not among those that are read.
    """

    spans: Mapping[str, Sequence[tuple[date, date]]]
    until_ms: int = 0

    def has(self, supply_point: str, start: date, end: date) -> bool:
        """Return whether a billing cycle [start, end) of a supply point is to be settled."""
        return any(start < after and first < end for first, after in self.spans.get(supply_point, ()))


def rerate(
    lake: Path,
    book: Book,
    meter: str = "",
    selection: Selection = EVERYTHING,
    progress: Callable[[int], None] = lambda done: None,
    write_shares: Callable[[pa.Table], None] = lambda rows: None,
    changed_only: bool = False,
    wanted: Wanted | None = None,
) -> Rerated:
    """Rate again each billing cycle that the selection covers, of all supplies or of that of `meter`. Raises LakeError.

    A cycle that ends after the last reading in the lake is open: its fixed charges end with that reading. `progress` is
    called with the number of supplies done, `write_shares` with rows of table `shares`. `changed_only`: only supplies
    of which a contract was changed after readings had been priced. `wanted`: only these cycles.
    """
    with open_lake(lake, selection) as connection:
        settlement = _Settlement(connection, book, selection, write_shares, wanted)
        for number, job in enumerate(settlement.jobs(meter)):
            progress(number)
            is_wanted = wanted is None or job.name in wanted.spans
            if is_wanted and (not changed_only or job.name in settlement.changes.supplies):
                settlement.settle(job)
    return settlement.result


class _Job(NamedTuple):
    """A supply point to settle, with its meters."""

    name: str
    meters: tuple[str, ...]
    run: Callable[[duckdb.DuckDBPyConnection, Known], Settled]


class _Settlement:
    """The settlement of a lake that is open."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        book: Book,
        selection: Selection,
        write_shares: Callable[[pa.Table], None],
        wanted: Wanted | None,
    ) -> None:
        self.connection, self.book, self.selection, self.write_shares = connection, book, selection, write_shares
        self.wanted = wanted
        self.supplies, faults = supplies_of(book.contracts, book.terms)
        attached = attached_contracts(book.contracts)
        hold_costs(connection)
        steady = prepare_steady(connection, self.supplies, attached)
        prepare(connection)
        self.found, self.billed = meters_in(connection), supplies_in(connection)
        until_ms = max(last_instant_ms(connection), 0 if wanted is None else wanted.until_ms)
        self.known = Known(book, until_ms, attached, steady)
        self.result = Rerated(problems=self._problems(faults))
        self.changes = self.result.changes = Changes(connection)

    def jobs(self, meter: str) -> list[_Job]:
        """Return the supplies to settle, and those of which every meter belongs to another one now."""
        wanted = [of for of in self.supplies if self.found & set(of.meters) and _is_of(of, meter)]
        jobs = [_Job(of.supply_point, tuple(of.meters), partial(settle_supply, supply=of)) for of in wanted]
        names = {supply.supply_point for supply in self.supplies} | self.result.problems.keys()
        moved = [] if meter else sorted(self.billed & self.book.contracts.keys() - names)
        return jobs + [_Job(name, (name,), partial(withdrawn, meter_id=name)) for name in moved]

    def settle(self, job: _Job) -> None:
        """Settle a supply, and add it to the result."""
        result, contracts = self.result, self.book.contracts
        result.issued[job.name] = newest_issued_at(job.meters, contracts)
        try:
            self.changes.check(job.meters, contracts)
            settled = job.run(self.connection, self.known)
            covered = [a for a in settled.adjustments if self._covers(a)]
            result.adjustments += covered
            result.rows.append(rows_of(covered, settled.windows))
            if settled.rated is not None and len(job.meters) > 1:
                for rows in shared(settled.rated, contracts, {a.key: a.cycle_end for a in covered}):
                    self.write_shares(rows)
        except MeteringError as error:
            result.problems[job.name] = str(error)

    def _covers(self, adjustment: Adjustment) -> bool:
        cycle = date.fromisoformat(adjustment.key[0]), adjustment.cycle_end
        is_wanted = self.wanted is None or self.wanted.has(adjustment.supply_point, *cycle)
        return is_wanted and is_covered(*cycle, self.selection)

    def _problems(self, faults: Sequence[SupplyError]) -> dict[str, str]:
        """Return the meters without a contract, and the supplies that cannot be billed, with the reason of each."""
        problems = dict.fromkeys(sorted(self.found - self.book.contracts.keys()), "no contract")
        for fault in faults:
            # A supply without a main has no bill, and its submeters no costs.
            is_billed = fault.code != SupplyFault.NO_MAIN or fault.supply_point in self.billed
            if is_billed and self.found & _members(self.book.contracts, fault.supply_point):
                problems[fault.supply_point] = str(fault)
        return problems


def _members(contracts: Mapping[str, Contract], supply_point: str) -> set[str]:
    """Return the meters that are or were part of a supply point."""
    found = contracts.items()
    return {name for name, one in found if any(m.supply_point == supply_point for m in memberships(one))}


def _is_of(supply: Supply, meter: str) -> bool:
    """Return whether a meter, or a supply point, of a plain name is that of a supply; always if it is empty."""
    return not meter or meter in map(plain, (supply.supply_point, *supply.meters))
