"""Time zone, billing days, place and multiplier of a contract by date, as its changes say."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

import msgspec

from flink_job.metering.contract import Change, Contract
from flink_job.metering.zones import local_midnight_ms, zone_key, zone_named


def zone_of(contract: Contract) -> str:
    """Return the key of the time zone of a contract (see flink_job.metering.zones)."""
    changes = [(change.valid_from, change.timezone) for change in contract.changes]
    return zone_key(contract.timezone, [(day, name) for day, name in changes if name is not None])


def billing_days(contract: Contract) -> tuple[tuple[date, int], ...]:
    """Return the (date, billing day) of each change of the billing day."""
    return tuple((c.valid_from, c.billing_day) for c in contract.changes if c.billing_day is not None)


class Places:
    """The site path, tags and multiplier of a contract by instant: contracts without changes of these fields."""

    def __init__(self, contract: Contract) -> None:
        """Create the contracts in force from each change on, which begins with its local day."""
        zone = zone_named(zone_of(contract))
        changes = [change for change in contract.changes if _fields(change)]
        self.starts_ms = [local_midnight_ms(change.valid_from, zone) for change in changes]
        self.contracts = [contract]
        for change in changes:
            self.contracts.append(msgspec.structs.replace(self.contracts[-1], **_fields(change)))

    def at(self, instant_ms: int) -> Contract:
        """Return the contract that is in force at an instant [epoch ms]."""
        return self.contracts[bisect_right(self.starts_ms, instant_ms)]


def _fields(change: Change) -> dict[str, object]:
    values = {"site_path": change.site_path, "tags": change.tags, "multiplier": change.multiplier}
    return {name: value for name, value in values.items() if value is not None}
