"""Heartbeats: arrival marks of the entities that no-data rules monitor."""

from __future__ import annotations

from flink_job.alerts.registry import RuleRegistry
from flink_job.metering.site import Entity

#: Separates the fields of a mark (CHR(30) in flink_job/dataflow/sql/alerts/heartbeats.sql).
SEPARATOR = "\x1e"


class HeartbeatTracker:
    """Arrival marks for the search for entities that stopped reporting, one per monitored entity and reading.

    A mark is `is_resumed|before_ms|arrival_ms|entity|site_path|tags`, with SEPARATOR in place of the bars.
    `is_resumed` is 1 if nothing had arrived for `silence_s` seconds, or if this is the entity's first arrival in this
    worker; the entity's state machine gets it then. `before_ms` is the arrival before, -1 if unknown.
    """

    def __init__(self, registry: RuleRegistry, silence_s: int) -> None:
        self.registry = registry
        self.silence_ms = silence_s * 1000
        self.last_arrival_ms: dict[Entity, int] = {}
        self.monitored: dict[Entity, tuple[Entity, ...]] = {}
        self.generation = -1

    def refresh(self) -> None:
        """Load changed rules if that is due."""
        self.registry.refresh()
        if self.registry.generation != self.generation:
            self.generation = self.registry.generation
            self.monitored.clear()
            self.last_arrival_ms.clear()

    @property
    def needed(self) -> bool:
        """True if there is a no-data rule."""
        return any(rule.source == "silence" for rule in self.registry.rules.rules)

    def marks(self, meter: Entity, arrival_ms: int) -> list[str] | None:
        """Marks of the entities that are monitored through the meter, or None."""
        try:
            monitored = self.monitored[meter]
        except KeyError:
            monitored = self.monitored[meter] = tuple(self.registry.rules.of_no_data(meter))
        return [self._mark(entity, arrival_ms) for entity in monitored] or None

    def _mark(self, entity: Entity, arrival_ms: int) -> str:
        before_ms = self.last_arrival_ms.get(entity, -1)
        self.last_arrival_ms[entity] = max(arrival_ms, before_ms)
        is_resumed = before_ms < 0 or arrival_ms - before_ms > self.silence_ms
        return SEPARATOR.join((str(int(is_resumed)), str(before_ms), str(arrival_ms), *entity))
