"""Settlement: rates the billing cycles of the lake again, in event-time order, and computes adjustments and shares.

The stream prices readings as they arrive. Charges that depend on the order of readings, on the whole billing cycle or
on time without readings, and changes after a reading was priced, are settled here: the costs of the stream and the
adjustments add up to the exact bill of each supply point, and so do the shares of its meters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from flink_job.billing.adjustments import Adjustment, rows_of
from flink_job.billing.contract_changes import Changes, newest_issued_at
from flink_job.billing.measured import hold_costs, last_instant_ms, meters_in, prepare, supplies_in
from flink_job.billing.places import first_mains
from flink_job.billing.settled_shares import shared
from flink_job.billing.settled_supply import Known, Settled, settle_supply, withdrawn
from flink_job.billing.steady import prepare_steady
from flink_job.errors import MeteringError
from flink_job.lake.database import needed_tables, open_lake
from flink_job.lake.selection import EVERYTHING, Selection
from flink_job.metering.contract import Contract
from flink_job.metering.membership import memberships
from flink_job.metering.supply_terms import SupplyTerms
from flink_job.schemas import ADJUSTMENTS
from flink_job.supplies.membership import Supply, SupplyFault, supplies_of
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.registry import TariffRegistry
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
    """Return the input of `settle` and the existing adjustments; the dates limit the partitions to read."""
    tables = needed_tables(_READ)
    return Selection(None if tables is None else tables | {ADJUSTMENTS.name}, first, last)


def is_covered(cycle_start: date, cycle_end: date, selection: Selection) -> bool:
    """Return whether the selected UTC dates include all local days of a billing cycle, in any time zone.

    Local time is up to 14 hours ahead of UTC, so a cycle may begin in the partition of the day before its first day,
    and up to 12 hours behind UTC, so it may end in the partition of the day after its last day.
    """
    begins = selection.first is None or cycle_start > selection.first
    return begins and (selection.last is None or cycle_end <= selection.last)


def rerate(
    lake: Path,
    contracts: Mapping[str, Contract],
    registry: TariffRegistry,
    series: Mapping[str, PriceSeries],
    meter: str = "",
    selection: Selection = EVERYTHING,
    terms: Mapping[str, SupplyTerms] | None = None,
    progress: Callable[[int], None] = lambda done: None,
    write_shares: Callable[[pa.Table], None] = lambda rows: None,
    changed_only: bool = False,
) -> Rerated:
    """Rate again each billing cycle that the selection covers, of all supplies or of that of `meter`. Raises LakeError.

    A cycle that ends after the last reading in the lake is open: its fixed charges end with that reading. `series`
    replace those of the registry. `terms`: records of supply points. `progress` is called with the number of supplies
    done, `write_shares` with rows of table `shares`. `changed_only`: only supplies of which a contract was changed
    after readings had been priced.
    """
    result = Rerated()
    with open_lake(lake, selection) as connection:
        supplies, faults = supplies_of(contracts, terms or {})
        mains = first_mains(contracts.values())
        hold_costs(connection)
        steady = prepare_steady(connection, supplies, contracts, mains)
        prepare(connection)
        changes = result.changes = Changes(connection)
        found, billed = meters_in(connection), supplies_in(connection)
        known = Known(registry, series, last_instant_ms(connection), contracts, mains, steady)
        result.problems = dict.fromkeys(sorted(found - contracts.keys()), "no contract")
        # A supply without a main has no bill, and its submeters no costs.
        faults = [of for of in faults if of.code != SupplyFault.NO_MAIN or of.supply_point in billed]
        result.problems |= {of.supply_point: str(of) for of in faults if found & _members(contracts, of.supply_point)}
        jobs = [partial(settle_supply, supply=of) for of in supplies if found & set(of.meters) and _is_of(of, meter)]
        names = {supply.supply_point for supply in supplies} | result.problems.keys()
        moved = [] if meter else sorted(billed & contracts.keys() - names)
        jobs += [partial(withdrawn, meter_id=name) for name in moved]
        for number, job in enumerate(jobs):
            progress(number)
            name, meters = _named(job)
            if changed_only and name not in changes.supplies:
                continue
            result.issued[name] = newest_issued_at(meters, contracts)
            try:
                changes.check(meters, contracts)
                settled = job(connection, known)
                covered = _add(settled, selection, result)
                if settled.rated is not None and len(settled.rated.supply.meters) > 1:
                    for rows in shared(settled.rated, contracts, {a.key: a.cycle_end for a in covered}):
                        write_shares(rows)
            except MeteringError as error:
                result.problems[name] = str(error)
    return result


def _named(job: partial[Settled]) -> tuple[str, tuple[str, ...]]:
    """Return the supply point that a job settles, and its meters."""
    supply = job.keywords.get("supply")
    name = job.keywords["meter_id"] if supply is None else supply.supply_point
    return name, (name,) if supply is None else tuple(supply.meters)


def _members(contracts: Mapping[str, Contract], supply_point: str) -> set[str]:
    """Return the meters that are or were part of a supply point."""
    found = contracts.items()
    return {name for name, one in found if any(m.supply_point == supply_point for m in memberships(one))}


def _is_of(supply: Supply, meter: str) -> bool:
    """Return whether a meter, or a supply point, of a plain name is that of a supply; always if it is empty."""
    return not meter or meter in map(plain, (supply.supply_point, *supply.meters))


def _add(settled: Settled, selection: Selection, result: Rerated) -> list[Adjustment]:
    """Add what the selection covers to the result, and return it."""
    covered = [a for a in settled.adjustments if is_covered(date.fromisoformat(a.key[0]), a.cycle_end, selection)]
    result.adjustments += covered
    result.rows.append(rows_of(covered, settled.windows))
    return covered
