"""The time for which a contract has other terms than the one it replaces: its costs are to be settled again."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from typing import Any, NamedTuple

from flink_job.metering.changes import zone_of
from flink_job.metering.contract import Contract, ContractError
from flink_job.metering.groups import parse_attached
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.tariffs.supply_places import Span, spans_of
from flink_job.tenants import plain

#: End of a span without an end [epoch ms]: the last day that tables can have, 9999-12-31.
LAST_MS = 253_402_214_400_000
#: Separates the fields of an encoded span; it cannot be part of a path.
SEPARATOR = "\x1e"

#: Terms by the name of the field of the contract.
Terms = dict[str, Any]


class ChangedSpan(NamedTuple):
    """The fields that differ from `from_ms` until `until_ms` [epoch ms], and the site path from then on."""

    from_ms: int
    until_ms: int
    fields: tuple[str, ...]
    site_path: str

    def encoded(self) -> str:
        """The span as one string, as read by flink_job/dataflow/sql/contracts/contract_changes.sql."""
        return SEPARATOR.join((str(self.from_ms), str(self.until_ms), ",".join(self.fields), plain(self.site_path)))


def changed_spans(document: str, previous: str | None, tenant: str, now_ms: int) -> list[ChangedSpan]:
    """The spans that begin before `now_ms` in which a contract document has other terms than the one it replaced.

    Adjoining spans are one. There are none without a previous document, or with one that no release accepts.
    """
    if previous is None or document == previous:
        return []
    try:
        latest, before = (_Timeline(text, tenant) for text in (document, previous))
    except ContractError:
        return []
    starts = sorted({0} | {max(0, ms) for ms in (*latest.starts_ms, *before.starts_ms)})
    found: list[ChangedSpan] = []
    for from_ms, until_ms in zip(starts, [*starts[1:], LAST_MS], strict=True):
        now, then = latest.at(from_ms), before.at(from_ms)
        fields = tuple(name for name in now if now[name] != then[name])
        if not fields or from_ms >= now_ms:
            continue
        if found and found[-1].until_ms == from_ms:
            fields = tuple(dict.fromkeys((*found[-1].fields, *fields)))
            from_ms = found.pop().from_ms
        found.append(ChangedSpan(from_ms, until_ms, fields, now["site_path"]))
    return found


class _Timeline:
    """The terms of a contract document by instant; `starts_ms` are the instants at which they may change."""

    def __init__(self, document: str, tenant: str) -> None:
        self._spans = spans_of(parse_attached(document, tenant))
        self.starts_ms = {span.from_ms for span in self._spans}
        for span in self._spans:
            self.starts_ms |= {_midnight_ms(span.rated, day) for day in _days(span.rated)}

    def at(self, instant_ms: int) -> Terms:
        """Return the terms at an instant [epoch ms]."""
        begun = [span for span in self._spans if span.from_ms <= instant_ms]
        return _terms_of(begun[-1], instant_ms)


def _days(contract: Contract) -> set[date]:
    """Return the local days with which terms of a contract begin."""
    assigned = {assignment.valid_from for assignment in contract.assignments}
    return assigned | {change.valid_from for change in contract.changes} | set(contract.cycle_starts)


def _midnight_ms(contract: Contract, day: date) -> int:
    return local_midnight_ms(day, zone_named(zone_of(contract)))


def _terms_of(span: Span, instant_ms: int) -> Terms:
    rated, place = span.rated, span.place
    begun = [change for change in rated.changes if _midnight_ms(rated, change.valid_from) <= instant_ms]
    assigned = [each for each in rated.assignments if _midnight_ms(rated, each.valid_from) <= instant_ms]
    cycle_starts = [_midnight_ms(rated, day) for day in rated.cycle_starts]
    cycle = bisect_right(cycle_starts, instant_ms)
    return {
        "tariff_id": assigned[-1].tariff_id if assigned else None,
        "contracted_kw": assigned[-1].contracted_kw if assigned else None,
        "timezone": _latest([rated.timezone, *(change.timezone for change in begun)]),
        "billing_day": _latest([rated.billing_day, *(change.billing_day for change in begun)]),
        "cycle_starts": cycle_starts[max(0, cycle - 1) : cycle + 1],
        "multiplier": place.multiplier,
        "max_power_kw": place.max_power_kw,
        "site_path": place.site_path,
        "supply_point": span.supply,
    }


def _latest(values: list[Any]) -> Any:
    return [value for value in values if value is not None][-1]
