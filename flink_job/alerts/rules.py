"""Alert rules: which entities they apply to, and how they evaluate a value."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import NamedTuple

from flink_job.alerts.calendars import Calendar
from flink_job.alerts.conditions import Condition
from flink_job.alerts.monitored import monitored_entities
from flink_job.alerts.signals import SIGNALS, SUPPLY
from flink_job.metering.site import LEVEL_DEPTHS, Entity, depth_of, factory_of, path_prefix, tag_pairs
from flink_job.tenants import DEFAULT, plain, tenant_of

SEVERITIES = ("info", "minor", "major", "critical", "emergency")
DEFAULT_HORIZON_MS = 3_600_000
#: Default of `max_gap`, in intervals: readings that are further apart are not consecutive.
DEFAULT_GAP_INTERVALS = 3
#: Ranks of a value that breaches no level: between limit and `clear_at`, or clear.
HELD, CLEAR = -1, -2


class Scope(NamedTuple):
    """Entities whose site path matches `site` (a shell pattern), that are in `names` if given, and have all `tags`.

    `names` are those of meters, or of supply points for a rule on these.
    """

    site: str
    names: frozenset[str]
    tags: tuple[tuple[str, str], ...]

    def matches(self, entity: Entity) -> bool:
        """True if the entity is in scope; tenants are not compared."""
        path = plain(entity.site_path)
        # `factory/*` matches the factory itself, too.
        if not fnmatch.fnmatchcase(path, self.site) and not fnmatch.fnmatchcase(f"{path}/", self.site):
            return False
        if self.names and entity.shown not in self.names:
            return False
        return not self.tags or set(self.tags) <= set(tag_pairs(entity.tags))


class Level(NamedTuple):
    """A severity (index in SEVERITIES): reached if `condition` holds, or after `no_data_ms` without an arrival."""

    rank: int
    condition: Condition | None
    no_data_ms: int


class Flapping(NamedTuple):
    """More than `changes` raises and clears within `within_ms` of event time."""

    changes: int
    within_ms: int


@dataclass(frozen=True)
class Rule:
    """A rule on the entities of a tenant. Durations are milliseconds of event time; `levels` are in ascending rank."""

    rule_id: str
    title: str
    scope: Scope
    signal: str
    unit: str
    source: str
    levels: tuple[Level, ...]
    clear: Condition | None
    per: str = "meter"
    window_s: int = 0
    change_per_ms: int = 0
    for_ms: int = 0
    clear_for_ms: int = 0
    min_samples: int = 1
    max_gap_ms: int = 0
    horizon_ms: int = DEFAULT_HORIZON_MS
    active: Calendar | None = None
    active_outside: bool = False
    mute: Calendar | None = None
    latch: bool = False
    flapping: Flapping | None = None
    inhibited_by: tuple[str, ...] = ()
    hint: str = ""
    tenant: str = DEFAULT

    def concerns(self, entity: Entity) -> bool:
        """True for a meter or a level of the site that is in scope and belongs to the rule's tenant."""
        return tenant_of(entity.site_path) == self.tenant and self.scope.matches(entity)

    @property
    def series(self) -> str:
        """Key of this rule's value in a sample: the signal, or its rate of change over gaps of up to `max_gap`."""
        return f"{self.signal}/{self.change_per_ms}/{self.max_gap_ms}" if self.change_per_ms else self.signal

    @property
    def subject(self) -> str:
        """Kind of the values that the rule compares with its limits. State of another kind, before an edit, is void."""
        return f"{self.source}/{self.per}/{self.window_s}/{self.signal}/{self.change_per_ms}"

    def rank_of(self, value: float) -> int:
        """The rank of the highest level that the value breaches, HELD between limit and clear_at, or CLEAR."""
        for level in reversed(self.levels):
            if level.condition is not None and level.condition.holds(value):
                return level.rank
        return CLEAR if self.clear is None or self.clear.holds(value) else HELD

    def is_certain(self, value: float) -> bool:
        """True if the value of a partial window breaches, and no further reading can change that."""
        signal = SIGNALS.get(self.signal)
        grows = signal is not None and signal.grows and not self.change_per_ms
        return grows and any(level.condition is not None and level.condition.holds_from(value) for level in self.levels)

    def applies(self, instant_ms: int) -> bool:
        """True if the rule is active at the instant [epoch ms] by its `active` calendar."""
        return self.active is None or self.active.is_open(instant_ms) != self.active_outside

    def is_muted(self, instant_ms: int) -> bool:
        """True if the instant [epoch ms] is in a mute window."""
        return self.mute is not None and self.mute.is_open(instant_ms)

    def gap_ms(self, interval_s: int) -> int:
        """Longest distance between two consecutive readings [ms]."""
        return self.max_gap_ms or DEFAULT_GAP_INTERVALS * interval_s * 1000

    def threshold(self, rank: int, value: float) -> float:
        """The limit of a level that `value` is compared with."""
        for level in self.levels:
            if level.rank == rank and level.condition is not None:
                return level.condition.threshold(value)
        return 0.0

    def covers(self, entity: Entity) -> bool:
        """True if this no-data rule monitors the entity: a meter in scope, a path of the rule's level, or its tag."""
        if self.per == "meter":
            return self.concerns(entity)
        if tenant_of(entity.site_path) != self.tenant:
            return False
        path = plain(entity.site_path)
        if self.per.startswith("tag:"):
            name = self.per.removeprefix("tag:")
            is_wanted = all(f"{tag}={value}" == entity.tags for tag, value in self.scope.tags if tag == name)
            return (
                is_wanted and entity.tags.startswith(f"{name}=") and entity.shown == entity.tags and self._reaches(path)
            )
        depth = LEVEL_DEPTHS[self.per]
        return entity.name == entity.site_path and depth_of(path) == depth and self._reaches(path)

    def _reaches(self, path: str) -> bool:
        """True if some meter below the path can be in scope."""
        pattern = path_prefix(self.scope.site, depth_of(path))
        return "*" in factory_of(self.scope.site) or fnmatch.fnmatchcase(path, pattern)

    @property
    def has_total_cost(self) -> bool:
        """True if a corrected sample has the new cost, and not the difference to the one before."""
        return self.source == "kpi"

    @property
    def memory_ms(self) -> int:
        """Time for which a breach can affect the outcome [ms of event time], not counting gaps."""
        return max(self.for_ms, self.clear_for_ms, self.flapping.within_ms if self.flapping else 0)


@dataclass(frozen=True)
class RuleSet:
    """Rules of a document, of version `version`, and of the documents of other tenants, `versions` by tenant."""

    version: str = ""
    rules: tuple[Rule, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    def by_id(self, rule_id: str, tenant: str = DEFAULT) -> Rule | None:
        """The rule of a tenant with an id, or None."""
        return next((rule for rule in self.rules if rule.rule_id == rule_id and rule.tenant == tenant), None)

    def version_of(self, entity: Entity) -> str:
        """The version of the rules document that applies to an entity, empty if there is none."""
        tenant = tenant_of(entity.site_path)
        return self.version if tenant == DEFAULT else dict(self.versions).get(tenant, "")

    def of_reading(self, entity: Entity) -> tuple[Rule, ...]:
        """Rules on the readings of a meter."""
        return tuple(r for r in self.rules if r.source == "reading" and r.per != SUPPLY and r.concerns(entity))

    def of_supply(self, supply: Entity) -> tuple[Rule, ...]:
        """Rules on the bill and demand of a supply point."""
        return tuple(r for r in self.rules if r.per == SUPPLY and r.concerns(supply))

    def of_kpi(self, entity: Entity, level: str, window_s: int) -> tuple[Rule, ...]:
        """Rules on the KPIs of a meter or level."""
        return tuple(
            r
            for r in self.rules
            if r.source == "kpi" and r.per == level and r.window_s == window_s and r.concerns(entity)
        )

    def of_no_data(self, meter: Entity) -> dict[Entity, tuple[Rule, ...]]:
        """Entities that no-data rules monitor through a meter, with their rules."""
        found: dict[Entity, tuple[Rule, ...]] = {}
        for rule in self.rules:
            if rule.source == "silence" and rule.concerns(meter):
                for entity in monitored_entities(rule.per, meter):
                    found[entity] = (*found.get(entity, ()), rule)
        return found
