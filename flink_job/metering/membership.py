"""The supply points that a meter belongs to, by time."""

from __future__ import annotations

from dataclasses import dataclass

from flink_job.metering.changes import zone_of
from flink_job.metering.contract import Contract
from flink_job.metering.zones import local_midnight_ms, zone_named

#: Before and after every reading [epoch ms].
ALWAYS_MS = (-(1 << 60), 1 << 60)


@dataclass(frozen=True)
class Membership:
    """The role of a meter in a supply point, from one instant until another [epoch ms]."""

    meter_id: str
    supply_point: str
    role: str
    upstream: str
    from_ms: int
    until_ms: int


def memberships(contract: Contract) -> list[Membership]:
    """Return the supply points of a meter in order of time. Without one, the meter is the main of its own supply."""
    zone = zone_named(zone_of(contract))
    fields = {"supply_point": contract.supply_point, "role": contract.role, "upstream": contract.upstream}
    states = [(ALWAYS_MS[0], dict(fields))]
    for change in contract.changes:
        new = {name: value for name in fields if (value := getattr(change, name)) is not None}
        if new:
            fields |= new
            states.append((local_midnight_ms(change.valid_from, zone), dict(fields)))
    ends = [since for since, _ in states[1:]] + [ALWAYS_MS[1]]
    return [
        Membership(
            contract.meter_id,
            state["supply_point"] or contract.meter_id,
            state["role"] or "main",
            state["upstream"],
            since,
            until,
        )
        for (since, state), until in zip(states, ends, strict=True)
    ]
