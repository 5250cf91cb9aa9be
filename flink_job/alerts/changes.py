"""Changes of an alert: what the machines emit."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

RAISED, ESCALATED, EASED, FLAPPING, CLEARED, LATCHED = "raised", "escalated", "eased", "flapping", "cleared", "latched"
#: States after which an alert is over.
ENDED = (CLEARED, LATCHED)


class Change(NamedTuple):
    """A step in the life of one alert. `number` counts them from 0; with `alert_id` it names the change.

    `historical` changes are records, never pages; `muted` ones fell into a mute window. `cost_u` is what the entity's
    readings in the episode cost so far [1e-6].
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


def alert_id(rule_id: str, entity: str, episode_ms: int) -> str:
    """The name of an episode: the same whenever it is computed again."""
    return blake2b(f"{rule_id}|{entity}|{episode_ms}".encode(), digest_size=16).hexdigest()
