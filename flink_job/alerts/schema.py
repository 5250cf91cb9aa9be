"""Schema of a rules document: its fields as written."""

from __future__ import annotations

import msgspec

from flink_job.alerts.calendars import CalendarDocument


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ScopeDocument(_Strict, frozen=True):
    site: str = "*"
    meters: tuple[str, ...] = ()
    supply_points: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class LevelDocument(_Strict, frozen=True):
    severity: str
    when: str = ""
    no_data: str = ""


class FlappingDocument(_Strict, frozen=True):
    changes: int
    within: str


class RuleDocument(_Strict, frozen=True):
    rule_id: str
    title: str = ""
    severity: str = ""
    when: str = ""
    no_data: str = ""
    levels: tuple[LevelDocument, ...] = ()
    signal: str = ""
    change_per: str = ""
    window: str = ""
    per: str = "meter"
    scope: ScopeDocument = ScopeDocument()
    sustained: str = msgspec.field(default="", name="for")
    clear_at: str = ""
    clear_for: str = ""
    min_samples: int = 1
    max_gap: str = ""
    horizon: str = ""
    active: str = ""
    mute: str = ""
    latch: bool = False
    flapping: FlappingDocument | None = None
    inhibited_by: tuple[str, ...] = ()
    hint: str = ""


class RulesDocument(_Strict, frozen=True):
    rules: tuple[RuleDocument, ...]
    calendars: dict[str, CalendarDocument] = {}
