"""The gates of alert rules inside the functions that see every reading; see flink_job.alerts.prefilter."""

from __future__ import annotations

from typing import Any

import msgspec

from flink_job.alerts.prefilter import PrefilterOutput, Prefilter
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.rules import Entity
from flink_job.config import Settings
from flink_job.metering.units import MEASURED_CHANNELS
from flink_job.registries import refreshed_rules, rule_registry

NOTHING = (None, None, None)
#: Between the parts of a mark of the `watched` column.
SEPARATOR = "\x1e"


class Prefilters:
    """A prefilter for each entity, made when it is first asked for and anew with each version of the rules."""

    def __init__(self, registry: RuleRegistry, source: str = "reading") -> None:
        self.registry, self.source = registry, source
        self.generation = -1
        self.gates: dict[tuple[Any, ...], Prefilter | None] = {}
        self.meters: dict[str, tuple[str, str | None, Prefilter | None]] = {}

    def refresh(self) -> None:
        rules = refreshed_rules(self.registry)
        if rules.generation != self.generation:
            self.generation = rules.generation
            self.gates.clear()
            self.meters.clear()

    def of_meter(self, meter: str, site_path: str, tags: str | None) -> Prefilter | None:
        """The prefilter of a meter, found without more work than a look-up where its contract is the same."""
        known = self.meters.get(meter)
        if known is None or known[0] != site_path or known[1] != tags:
            known = self.meters[meter] = (site_path, tags, self.of(Entity(meter, site_path, tags or "")))
        return known[2]

    @property
    def signals(self) -> frozenset[str]:
        """Signals that any rule prefilters."""
        return frozenset(rule.signal for rule in self.registry.rules.rules if rule.source == self.source)

    def of(self, entity: Entity, level: str = "meter", window_s: int = 0) -> Prefilter | None:
        """The prefilter of an entity; None where no rule concerns it."""
        key = (entity, level, window_s)
        try:
            return self.gates[key]
        except KeyError:
            rules = self.registry.rules
            found = rules.of_reading(entity) if self.source == "reading" else rules.of_kpi(entity, level, window_s)
            prefilter = Prefilter(entity, found, self.source, level, window_s) if found else None
            self.gates[key] = prefilter
            return prefilter


def columns_of(passed: PrefilterOutput | None) -> tuple[Any, ...]:
    """The columns of ALERT_COLUMNS."""
    return NOTHING if passed is None else (passed.batch, passed.certain, passed.hot)


_decode_channels = msgspec.json.Decoder(dict[str, float]).decode


def channels_of(measurements: str | None) -> dict[str, float]:
    """Measured channels of a reading."""
    return _decode_channels(measurements) if measurements else {}


class ChannelPrefilter:
    """Watching readings of measured channels alone: they have no cost, so what they say is looked at on the way in."""

    def __init__(self, settings: Settings) -> None:
        self.prefilters = Prefilters(rule_registry(settings.tariffs, settings.job.silence_s))
        self.needed: frozenset[str] = frozenset()

    def refresh(self) -> None:
        self.prefilters.refresh()
        self.needed = self.prefilters.signals & MEASURED_CHANNELS.keys()

    def observe(
        self, entity: Entity, start_ms: int, interval_s: int, revision: int, arrival_ms: int, measurements: str
    ) -> tuple[Any, ...]:
        prefilter = self.prefilters.of(entity) if self.needed else None
        if prefilter is None:
            return NOTHING
        values = {name: value for name, value in channels_of(measurements).items() if name in prefilter.signals}
        if not values:
            return NOTHING
        return columns_of(prefilter.observe(start_ms, interval_s, revision, 0, arrival_ms, "", values))


class HeartbeatTracker:
    """Marks for the operator that finds silences, one for each watched entity:
    `heard|before|arrival|entity|site_path|tags`.

    `heard` is 1 where the entity had been silent, or was not known: then its machine is told.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = rule_registry(settings.tariffs, settings.job.silence_s)
        self.silence_ms = settings.job.silence_s * 1000
        self.heard_ms: dict[Entity, int] = {}
        self.entities: dict[Entity, tuple[Entity, ...]] = {}
        self.generation = -1

    def refresh(self) -> None:
        if refreshed_rules(self.registry).generation != self.generation:
            self.generation = self.registry.generation
            self.entities.clear()
            self.heard_ms.clear()

    @property
    def needed(self) -> bool:
        """True where any rule prefilters for silence."""
        return any(rule.source == "silence" for rule in self.registry.rules.rules)

    def marks(self, meter: Entity, arrival_ms: int) -> list[str] | None:
        try:
            watched = self.entities[meter]
        except KeyError:
            watched = self.entities[meter] = tuple(self.registry.rules.of_no_data(meter))
        return [self._mark(entity, arrival_ms) for entity in watched] or None

    def _mark(self, entity: Entity, arrival_ms: int) -> str:
        before_ms = self.heard_ms.get(entity, -1)
        self.heard_ms[entity] = max(arrival_ms, before_ms)
        heard = before_ms < 0 or arrival_ms - before_ms > self.silence_ms
        return SEPARATOR.join((str(int(heard)), str(before_ms), str(arrival_ms), *entity))
