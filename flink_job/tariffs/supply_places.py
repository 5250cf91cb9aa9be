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
#: Roles of meters that measure what another meter does, or nothing that is billed.
_BEHIND = ("sub", "sensor")


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

    @property
    def counting(self) -> Counting:
        """The way in which readings count in the bill; a supply that is named may have several meters."""
        return Counting.BEHIND if self.role in _BEHIND else Counting.POOLED


def counting_of(encoded: str | None) -> Counting:
    """Return the way in which readings count, by the encoded place of the meter; None for a supply of its own."""
    return Counting.ALONE if encoded is None else SupplyPlace(*encoded.split(SEPARATOR)).counting


class Span(NamedTuple):
    """Terms that apply from an instant on [epoch ms]: `place` has the site path, `rated` the terms of the supply."""

    from_ms: int
    place: Contract
    rated: Contract
    supply: SupplyPlace | None

    @property
    def counting(self) -> Counting:
        """The way in which readings count in the bill."""
        return Counting.ALONE if self.supply is None else self.supply.counting


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
        spans.append(Span(from_ms, places.at(from_ms), rated, supply))
    return spans


def _supply_place(attached: Attached, member: Membership, from_ms: int) -> SupplyPlace | None:
    if member.role == "main" and member.supply_point == member.meter_id:
        return None
    account = ALONE + member.meter_id if member.role in _BEHIND else member.supply_point
    upstream = attached.upstream_of(member)
    path = "" if upstream is None else Places(upstream).at(from_ms).site_path
    named = "" if upstream is None else plain(upstream.meter_id)
    return SupplyPlace(account, plain(member.supply_point), member.role, named, path)
