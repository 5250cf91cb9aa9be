"""Pre-filters of a Python worker: one per entity, for the functions that process every reading or KPI window."""

from __future__ import annotations

from typing import Any

import msgspec

from flink_job.alerts.clocks import CLOCK_AHEAD
from flink_job.alerts.prefilter import Prefilter, PrefilterOutput
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.signals import SUPPLY
from flink_job.metering.site import Entity, supply_of
from flink_job.metering.units import MEASURED_CHANNELS

#: Signals of an energy, which need no tariff: by channel of the reading.
POWER = {"power_kw": "import", "export_kw": "export"}
#: The alert columns (udfs.columns.ALERT_COLUMNS) of a row that is not forwarded.
NOTHING = (None, None, None)


class Prefilters:
    """Pre-filters by entity, created when first used and discarded when the rules change.

    `source` is `reading` or `kpi`: the rules that apply.
    """

    def __init__(self, registry: RuleRegistry, source: str = "reading") -> None:
        self.registry, self.source = registry, source
        self.generation = -1
        self.by_entity: dict[tuple[Any, ...], Prefilter | None] = {}
        self.by_meter: dict[str, tuple[str, str | None, Prefilter | None]] = {}
        self.by_account: dict[tuple[str, str], tuple[Prefilter | None]] = {}

    def refresh(self) -> None:
        """Load changed rules if that is due."""
        self.registry.refresh()
        if self.registry.generation != self.generation:
            self.generation = self.registry.generation
            self.by_entity.clear()
            self.by_meter.clear()
            self.by_account.clear()

    def of_meter(self, meter: str, site_path: str, tags: str | None) -> Prefilter | None:
        """The pre-filter of a meter, by a single lookup as long as its contract does not change."""
        known = self.by_meter.get(meter)
        if known is None or known[0] != site_path or known[1] != tags:
            known = self.by_meter[meter] = (site_path, tags, self.of(Entity(meter, site_path, tags or "")))
        return known[2]

    def of_supply(self, account: str, site_path: str) -> Prefilter | None:
        """The pre-filter of a supply point, given the key of its bill and the site path of one of its meters."""
        known = self.by_account.get((account, site_path))
        if known is None:
            known = self.by_account[account, site_path] = (self.of(supply_of(account, site_path), SUPPLY),)
        return known[0]

    @property
    def has_supplies(self) -> bool:
        """True if there is a rule on supply points."""
        return any(rule.per == SUPPLY for rule in self.registry.rules.rules)

    @property
    def signals(self) -> frozenset[str]:
        """Signals that some rule needs."""
        return frozenset(rule.signal for rule in self.registry.rules.rules if rule.source == self.source)

    def of(self, entity: Entity, level: str = "meter", window_s: int = 0, currency: str = "") -> Prefilter | None:
        """The pre-filter of an entity, above the meter for each currency, or None if no rule applies to it."""
        key = (entity, level, window_s, currency)
        try:
            return self.by_entity[key]
        except KeyError:
            rules = self.registry.rules
            if level == SUPPLY:
                found = rules.of_supply(entity)
            elif self.source == "reading":
                found = rules.of_reading(entity)
            else:
                found = rules.of_kpi(entity, level, window_s)
            prefilter = Prefilter(entity, found, self.source, level, window_s) if found else None
            self.by_entity[key] = prefilter
            return prefilter


def columns_of(output: PrefilterOutput | None) -> tuple[Any, ...]:
    """The values of udfs.columns.ALERT_COLUMNS for an output."""
    return NOTHING if output is None else (output.batch, output.certain, output.active)


_decode_channels = msgspec.json.Decoder(dict[str, float]).decode


def channels_of(measurements: str | None) -> dict[str, float]:
    """Values of a reading's measured channels by name, from the JSON object `measurements`."""
    return _decode_channels(measurements) if measurements else {}


class ChannelPrefilter:
    """Pre-filters for readings without a cost, on arrival: those of measured channels only, and unpriced ones."""

    def __init__(self, registry: RuleRegistry) -> None:
        self.prefilters = Prefilters(registry)
        self.needed: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Load changed rules if that is due."""
        self.prefilters.refresh()
        self.needed = self.prefilters.signals & {*MEASURED_CHANNELS, *POWER, CLOCK_AHEAD}

    def observe(
        self, entity: Entity, start_ms: int, interval_s: int, revision: int, arrival_ms: int, signals: dict[str, float]
    ) -> tuple[Any, ...]:
        """The values of udfs.columns.ALERT_COLUMNS for a reading with some signals."""
        prefilter = self.prefilters.of(entity) if self.needed else None
        if prefilter is None:
            return NOTHING
        values = {name: value for name, value in signals.items() if name in prefilter.signals}
        if not (values or prefilter.has_clock_rule):
            return NOTHING
        return columns_of(prefilter.observe(start_ms, interval_s, revision, 0, arrival_ms, "", values))
