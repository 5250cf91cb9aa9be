"""Presence: what readings and contracts say about the entities that report, as text marks for the stream.

A mark is a key, site path and tags, and of a contract also an action. The key is a letter for the kind of the entity,
and its name: a meter may have the name of a level.
"""

from __future__ import annotations

from flink_job.alerts.monitored import groups_of
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.rules import RuleSet
from flink_job.metering.site import Entity

#: Separates the fields of a mark (CHR(30) in flink_job/dataflow/sql/alerts).
SEPARATOR = "\x1e"
METER, GROUP = "m", "g"
#: Actions of a meter in an entity; WATCHED if a no-data rule monitors the entity through the meter.
JOINED, WATCHED, LEFT = "joined", "watched", "left"


class Heartbeats:
    """Marks of the entities that no-data rules monitor, for each arrival of a reading."""

    def __init__(self, registry: RuleRegistry) -> None:
        self.registry = registry
        self.generation = -1
        self.by_meter: dict[Entity, list[str] | None] = {}

    def refresh(self) -> None:
        """Load changed rules if that is due."""
        self.registry.refresh()
        if self.registry.generation != self.generation:
            self.generation = self.registry.generation
            self.by_meter.clear()

    @property
    def needed(self) -> bool:
        """True if there is a no-data rule."""
        return any(rule.source == "silence" for rule in self.registry.rules.rules)

    def marks(self, meter: Entity) -> list[str] | None:
        """Marks of the entities that are monitored through the meter, or None."""
        try:
            return self.by_meter[meter]
        except KeyError:
            monitored = self.registry.rules.of_no_data(meter)
            found = self.by_meter[meter] = [_mark(entity, meter) for entity in monitored] or None
            return found


def contract_marks(rules: RuleSet, latest: Entity, previous: Entity | None) -> list[str]:
    """Marks of a meter whose contract is new or has replaced another, under which it was `previous`."""
    monitored = rules.of_no_data(latest)
    marks = {
        _key(entity, latest): _mark(entity, latest, WATCHED if entity in monitored else JOINED)
        for entity in (latest, *groups_of(latest))
    }
    if previous is not None:
        for entity in (previous, *groups_of(previous)):
            marks.setdefault(_key(entity, previous), _mark(entity, previous, LEFT))
    return list(marks.values())


def _mark(entity: Entity, meter: Entity, *action: str) -> str:
    return SEPARATOR.join((_key(entity, meter), entity.site_path, entity.tags, *action))


def _key(entity: Entity, meter: Entity) -> str:
    return (METER if entity == meter else GROUP) + entity.name
