"""The meters of each supply point by time, and its terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from flink_job.errors import MeteringError
from flink_job.metering.changes import billing_days, zone_of
from flink_job.metering.contract import Contract
from flink_job.metering.membership import Membership, memberships
from flink_job.metering.supply_terms import Sharing, SupplyTerms
from flink_job.tenants import plain


class SupplyFault(StrEnum):
    """The reason why a supply point cannot be billed. The codes are a published contract: they are never renamed."""

    NO_SUPPLY = "no_supply"
    NO_MAIN = "no_main"
    DIFFERENT_TERMS = "different_terms"
    MAIN_AND_PART = "main_and_part"
    UNKNOWN_UPSTREAM = "unknown_upstream"
    UPSTREAM_CYCLE = "upstream_cycle"
    UNRATED = "unrated"


class SupplyError(MeteringError, ValueError):
    """A supply point that cannot be billed; `code` is a SupplyFault, `meters` those whose contracts are at fault."""

    def __init__(self, code: SupplyFault, supply_point: str, detail: str, meters: Iterable[str] = ()) -> None:
        super().__init__(f"supply point {plain(supply_point)}: {code}: {detail}")
        self.code, self.supply_point, self.meters = code, supply_point, tuple(meters)


@dataclass(frozen=True)
class Supply:
    """A supply point: its terms as a contract, how it is shared, and its meters by time."""

    supply_point: str
    contract: Contract
    sharing: Sharing
    members: tuple[Membership, ...]

    @property
    def meters(self) -> list[str]:
        """Names of the meters that are or were part of the supply, sorted."""
        return sorted({member.meter_id for member in self.members})


def supplies_of(
    contracts: Mapping[str, Contract], terms: Mapping[str, SupplyTerms]
) -> tuple[list[Supply], list[SupplyError]]:
    """Return (supplies, faults of those that cannot be billed), each in order of the names of supply points."""
    members: dict[str, list[Membership]] = {}
    for contract in contracts.values():
        for member in memberships(contract):
            if member.role != "sensor":
                members.setdefault(member.supply_point, []).append(member)
    supplies, faults = [], []
    for supply_point, found in sorted(members.items()):
        ordered = tuple(sorted(found, key=lambda member: (member.from_ms, member.meter_id)))
        try:
            if not any(member.role in ("main", "part") for member in ordered):
                raise SupplyError(
                    SupplyFault.NO_MAIN,
                    supply_point,
                    "none of its meters is a main or a part: give the meter that measures the supply the role main, or "
                    "the role part to each meter that measures a part of it",
                    [member.meter_id for member in ordered],
                )
            contract = _terms(supply_point, ordered, contracts, terms)
            sharing = terms[supply_point].sharing if supply_point in terms else Sharing()
            supplies.append(Supply(supply_point, contract, sharing, ordered))
        except SupplyError as error:
            faults.append(error)
    return supplies, faults


def _terms(
    supply_point: str,
    members: Sequence[Membership],
    contracts: Mapping[str, Contract],
    terms: Mapping[str, SupplyTerms],
) -> Contract:
    """Return the terms of a supply: its own, or those of its mains. Raises SupplyError."""
    if supply_point in terms:
        return terms[supply_point].as_contract()
    bearers = sorted({member.meter_id for member in members if member.role in ("main", "part")})
    given = {meter: contracts[meter] for meter in bearers if contracts[meter].assignments}
    if not given:
        raise SupplyError(
            SupplyFault.NO_SUPPLY,
            supply_point,
            f"it has no tariff: add a record with supply_point, timezone and assignments, or assignments to "
            f"{', '.join(map(plain, bearers))}",
            bearers,
        )
    distinct = {
        (zone_of(c), _assigned(c), c.billing_day, c.cycle_starts, billing_days(c)): meter for meter, c in given.items()
    }
    if len(distinct) > 1:
        raise SupplyError(
            SupplyFault.DIFFERENT_TERMS,
            supply_point,
            f"{' and '.join(map(plain, sorted(distinct.values())))} have different terms: give them equal ones, or "
            "a record of the supply point with its terms",
            sorted(distinct.values()),
        )
    return next(iter(given.values()))


def _assigned(contract: Contract) -> tuple[object, ...]:
    return tuple((a.tariff_id, a.valid_from, tuple(sorted(a.contracted_kw.items()))) for a in contract.assignments)


def boundaries(members: Iterable[Membership]) -> list[tuple[int, int]]:
    """Return the spans [epoch ms] within which no meter joins, leaves or changes its role, in order."""
    instants = sorted({instant for member in members for instant in (member.from_ms, member.until_ms)})
    return list(pairwise(instants))
