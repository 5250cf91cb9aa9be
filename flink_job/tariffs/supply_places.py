"""Terms that apply to the readings of a meter by time: its place on the site and in a supply, and the tariff."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.metering.groups import Attached
from flink_job.metering.membership import ALWAYS_MS, Membership, memberships
from flink_job.tariffs.plan import Counting
from flink_job.tenants import plain

#: Separates the fields of an encoded place. No name of a supply point begins with ALONE.
SEPARATOR, ALONE = "\x1e", "\x1d"


class SupplyPlace(NamedTuple):
    """The place of a meter in a supply point.

    Names are those of the tenant, not qualified, except `account`, the key of the bill to which the readings are
    added, and `upstream_path`, the site path of the meter that measures a submeter, too; empty if there is none.
    """

    account: str
    supply_point: str
    role: str
    upstream: str = ""
    upstream_path: str = ""

    def encoded(self) -> str:
        """The fields as one string, which SQL splits again."""
        return SEPARATOR.join(self)

    @staticmethod
    def role_of(encoded: str) -> str:
        """Return the role in an encoded place."""
        return encoded.split(SEPARATOR, 3)[2]


class Span(NamedTuple):
    """Terms that apply from an instant on [epoch ms]: `place` has the site path, `rated` the terms of the supply."""

    from_ms: int
    place: Contract
    rated: Contract
    counting: Counting
    supply: SupplyPlace | None


def spans_of(attached: Attached) -> list[Span]:
    """Return the terms that apply to the readings of a meter, in order of time, from before every reading on."""
    contract = attached.contract
    places, members = Places(contract), memberships(contract)
    starts = {ALWAYS_MS[0], *places.starts_ms, *(member.from_ms for member in members)}
    for member in members:
        upstream = attached.upstream_of(member)
        starts |= set(Places(upstream).starts_ms) if upstream is not None else set()
    spans = []
    for from_ms in sorted(starts):
        member = next(member for member in members if member.from_ms <= from_ms < member.until_ms)
        rated = attached.terms_of(member)
        if rated is None:
            rated = msgspec.structs.replace(contract, assignments=())
        supply = _supply_place(attached, member, from_ms)
        spans.append(Span(from_ms, places.at(from_ms), rated, _counting(member), supply))
    return spans


def _counting(member: Membership) -> Counting:
    if member.role in ("sub", "sensor"):
        return Counting.BEHIND
    # Whether a supply of its own name has further mains is not known here; one that is named may have.
    is_alone = member.role == "main" and member.supply_point == member.meter_id
    return Counting.ALONE if is_alone else Counting.POOLED


def _supply_place(attached: Attached, member: Membership, from_ms: int) -> SupplyPlace | None:
    if member.role == "main" and member.supply_point == member.meter_id:
        return None
    is_behind = member.role in ("sub", "sensor")
    account = ALONE + member.meter_id if is_behind else member.supply_point
    upstream = attached.upstream_of(member)
    path = "" if upstream is None else Places(upstream).at(from_ms).site_path
    named = "" if upstream is None else plain(upstream.meter_id)
    return SupplyPlace(account, plain(member.supply_point), member.role, named, path)
