"""Builder of one rule from its document; it checks every field, so that all faults are reported at once."""

from __future__ import annotations

import itertools
from typing import Any

from flink_job.alerts.calendars import Calendar
from flink_job.alerts.conditions import Condition, ConditionError, clear_condition, parse_condition
from flink_job.alerts.durations import parse_duration
from flink_job.alerts.rules import DEFAULT_HORIZON_MS, SEVERITIES, Flapping, Level, Rule, Scope
from flink_job.alerts.schema import LevelDocument, RuleDocument, ScopeDocument
from flink_job.alerts.signals import KPI, KPI_WINDOWS, OF_SUPPLY, SIGNALS, SUPPLY, Signal
from flink_job.metering.site import LEVEL_DEPTHS


class RuleBuilder:
    """Builds a rule; `problems` has its faults, each with how to fix it.

    `calendar_names` are all calendars of the document, `calendars` the valid ones; `ids` are all rule ids. `silence_s`
    is the setting of the job [s].
    """

    def __init__(
        self,
        document: RuleDocument,
        calendar_names: Any,
        calendars: dict[str, Calendar],
        ids: list[str],
        silence_s: int,
    ) -> None:
        self.document, self.calendar_names, self.calendars, self.ids = document, calendar_names, calendars, ids
        self.silence_ms = silence_s * 1000
        self.problems: list[str] = []
        self.is_no_data = bool(document.no_data or any(level.no_data for level in document.levels))

    def rule(self) -> Rule:
        """Build the rule; it is usable only if `problems` is empty afterwards."""
        document = self.document
        if not document.rule_id or "|" in document.rule_id or len(document.rule_id) > 100:
            self.problems.append("rule_id must have 1 to 100 characters without '|'")
        signal = self._signal()
        levels = self._levels(signal)
        rule = Rule(
            rule_id=document.rule_id,
            title=document.title or document.rule_id,
            scope=self._scope(),
            signal=signal.name if signal else "no_data",
            unit=signal.unit if signal else "s",
            source=signal.source if signal else "silence",
            levels=levels,
            clear=self._clear(levels, signal),
            per=document.per,
            window_s=KPI_WINDOWS.get(document.window, 0),
            change_per_ms=self._duration("change_per", document.change_per, 0),
            for_ms=self._duration("for", document.sustained, 0),
            clear_for_ms=self._duration("clear_for", document.clear_for, 0),
            min_samples=document.min_samples,
            max_gap_ms=self._duration("max_gap", document.max_gap, 0),
            horizon_ms=self._duration("horizon", document.horizon, DEFAULT_HORIZON_MS),
            active=self._calendar("active", document.active.removeprefix("not ")),
            active_outside=document.active.startswith("not "),
            mute=self._calendar("mute", document.mute),
            latch=document.latch,
            flapping=self._flapping(),
            inhibited_by=document.inhibited_by,
            hint=document.hint,
        )
        self._check_time(rule)
        for other in document.inhibited_by:
            if other == document.rule_id:
                self.problems.append("it cannot inhibit itself")
            elif other not in self.ids:
                self.problems.append(f"inhibited_by names {other!r}, which is not a rule of this document")
        return rule

    def _signal(self) -> Signal | None:
        document = self.document
        if self.is_no_data:
            if document.signal or document.when or document.change_per:
                self.problems.append("a no_data rule must not have signal, when or change_per")
            return None
        signal = SIGNALS.get(document.signal)
        if signal is None:
            self.problems.append(f"signal is {document.signal!r}; it must be one of {', '.join(SIGNALS)}")
            return None
        if signal.source == KPI and document.window not in KPI_WINDOWS:
            self.problems.append(f"window is {document.window!r}; for a KPI it must be one of {', '.join(KPI_WINDOWS)}")
        if signal.source != KPI and document.window:
            self.problems.append(f"window applies to KPIs only; {signal.name} is a signal of readings")
        if document.change_per and signal.source == KPI:
            self.problems.append("change_per applies to signals of readings only")
        return signal

    def _levels(self, signal: Signal | None) -> tuple[Level, ...]:
        document = self.document
        given = document.levels
        if bool(given) == bool(document.severity or document.when or document.no_data):
            self.problems.append("give either severity with when (or no_data), or levels")
        levels = []
        for level in given or (LevelDocument(document.severity, document.when, document.no_data),):
            if level.severity not in SEVERITIES:
                self.problems.append(f"severity is {level.severity!r}; it must be one of {', '.join(SEVERITIES)}")
                continue
            rank = SEVERITIES.index(level.severity)
            if self.is_no_data:
                no_data_ms = self._duration("no_data", level.no_data, 0)
                if no_data_ms <= 0:
                    self.problems.append("no_data is empty; give a duration such as 30m")
                elif no_data_ms < self.silence_ms:
                    shortest = f"{self.silence_ms // 1000}s"
                    self.problems.append(
                        f"no_data {level.no_data} is shorter than the job's silence_s ({shortest}), so the rule could "
                        f"not fire on time; use at least {shortest}"
                    )
                levels.append(Level(rank, None, no_data_ms))
            elif condition := self._condition(level.when, signal):
                levels.append(Level(rank, condition, 0))
        levels.sort(key=lambda level: level.rank)
        self._check_steps(levels)
        return tuple(levels)

    def _condition(self, text: str, signal: Signal | None) -> Condition | None:
        try:
            condition = parse_condition(text)
        except ConditionError as error:
            self.problems.append(f"when: {error}")
            return None
        if signal is not None and not self.document.change_per:
            reach = f"{signal.name} is between {signal.lowest:g} and {signal.highest:g}"
            if not condition.can_hold(signal.lowest, signal.highest):
                self.problems.append(f"it can never fire: {reach}, never {text}")
        return condition

    def _check_steps(self, levels: list[Level]) -> None:
        for lower, higher in itertools.pairwise(levels):
            if lower.rank == higher.rank:
                self.problems.append(f"two levels have severity {SEVERITIES[lower.rank]}")
            elif lower.condition is None or higher.condition is None:
                if higher.no_data_ms <= lower.no_data_ms:
                    self.problems.append(
                        f"no_data of {SEVERITIES[higher.rank]} must be longer than that of {SEVERITIES[lower.rank]}"
                    )
            elif higher.condition.kind() != lower.condition.kind() or not higher.condition.implies(lower.condition):
                self.problems.append(
                    f"{SEVERITIES[lower.rank]} ({lower.condition.text}) must hold whenever "
                    f"{SEVERITIES[higher.rank]} ({higher.condition.text}) does"
                )

    def _clear(self, levels: tuple[Level, ...], signal: Signal | None) -> Condition | None:
        if not levels or levels[0].condition is None:
            if self.document.clear_at:
                self.problems.append("clear_at applies to values only; a no_data alert clears with the next arrival")
            return None
        try:
            clear = clear_condition(levels[0].condition, self.document.clear_at)
        except ConditionError as error:
            self.problems.append(str(error))
            return None
        if signal is not None and not self.document.change_per and not clear.can_hold(signal.lowest, signal.highest):
            self.problems.append(
                f"it can never clear: {signal.name} is between {signal.lowest:g} and {signal.highest:g}"
            )
        return clear

    def _scope(self) -> Scope:
        scope = self.document.scope
        if not scope.site:
            self.problems.append("scope.site must not be empty; * matches every meter")
        per = self.document.per
        if per.startswith("tag:"):
            if not self.is_no_data or not per.removeprefix("tag:"):
                self.problems.append(
                    "per tag:NAME applies to no_data rules only, and groups meters by the value of the tag NAME"
                )
        elif per not in ("meter", SUPPLY, *LEVEL_DEPTHS):
            self.problems.append(f"per is {per!r}; it must be meter, supply, line, process, factory or tag:NAME")
        elif per == SUPPLY:
            self._check_supply(scope)
        elif per != "meter" and not (self.is_no_data or self.document.signal.startswith("kpi.")):
            self.problems.append(f"per {per} applies to KPIs and no_data only; a reading belongs to its meter")
        if self.document.signal.startswith("kpi.") and scope.tags:
            self.problems.append("scope.tags applies to signals of readings only; scope KPIs by site and meters")
        if scope.supply_points and per != SUPPLY:
            self.problems.append("scope.supply_points applies to rules per supply only; scope others by meters")
        names = scope.supply_points if per == SUPPLY else scope.meters
        return Scope(scope.site, frozenset(names), tuple(sorted(scope.tags.items())))

    def _check_supply(self, scope: ScopeDocument) -> None:
        if self.document.signal not in OF_SUPPLY:
            self.problems.append(f"per supply applies to {', '.join(sorted(OF_SUPPLY))} only")
        if scope.meters or scope.tags:
            self.problems.append("scope.meters and scope.tags apply to meters; scope supplies by site, supply_points")
        if scope.site.partition("/")[2] not in ("", "*"):
            self.problems.append(
                f"it can never fire: the place of a supply is its factory, and scope.site {scope.site!r} is inside one"
            )

    def _duration(self, field: str, text: str, default: int) -> int:
        if not text:
            return default
        try:
            return parse_duration(text)
        except ValueError as error:
            self.problems.append(f"{field}: {error}")
            return default

    def _calendar(self, field: str, name: str) -> Calendar | None:
        if name and name not in self.calendar_names:
            known = ", ".join(self.calendar_names) or "no calendars"
            self.problems.append(f"{field} names calendar {name!r}; the document has {known}")
        return self.calendars.get(name)

    def _flapping(self) -> Flapping | None:
        described = self.document.flapping
        if described is None:
            return None
        if described.changes < 2:
            self.problems.append("flapping.changes must be at least 2: a raise and a clear")
        return Flapping(described.changes, self._duration("flapping.within", described.within, 0))

    def _check_time(self, rule: Rule) -> None:
        if rule.min_samples < 1:
            self.problems.append("min_samples must be at least 1")
        if self.is_no_data and (rule.for_ms or rule.clear_for_ms or rule.min_samples > 1 or rule.flapping):
            self.problems.append(
                "a no_data rule must not have for, clear_for, min_samples or flapping: no_data is its duration"
            )
        if rule.window_s and rule.max_gap_ms and rule.max_gap_ms < rule.window_s * 1000:
            what = "for" if rule.for_ms else "min_samples" if rule.min_samples > 1 else ""
            if what:
                self.problems.append(
                    f"it can never fire: max_gap is shorter than the window, so {what} finds no consecutive samples"
                )
        if rule.active is not None and rule.active is rule.mute and not rule.active_outside:
            self.problems.append("it can never notify: it is muted whenever it is active")
