"""Changes of an alert, the output of the state machines."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

RAISED, ESCALATED, EASED, FLAPPING, CLEARED, LATCHED = "raised", "escalated", "eased", "flapping", "cleared", "latched"
#: States in which an alert has ended.
ENDED = (CLEARED, LATCHED)


class Change(NamedTuple):
    """A change of one alert, identified by `alert_id` and its `number` from 0.

    `value` was compared with `threshold`, in the unit of the rule's signal. The episode begins at `episode_ms`, the
    change is at `event_ms` [epoch ms]. Nobody is notified of changes that are `historical` (found in old readings) or
    `muted` (in a mute window of the rule). `cost_u` is the cost of the episode so far, in 1e-6 of the currency.
    `currency` is that of the episode if it may differ from that of the batch that ends it.
    """

    alert_id: str
    number: int
    state: str
    rank: int
    value: float
    threshold: float
    episode_ms: int
    event_ms: int
    historical: bool
    muted: bool
    cost_u: int
    detail: str = ""
    currency: str = ""


def alert_id(rule_id: str, entity: str, episode_ms: int) -> str:
    """The id of an alert: the same each time it is computed, so that a replay or restart does not duplicate it."""
    return blake2b(f"{rule_id}|{entity}|{episode_ms}".encode(), digest_size=16).hexdigest()
