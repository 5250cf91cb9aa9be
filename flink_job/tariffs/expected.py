"""When readings of a meter are expected, by its contract: the input of completeness and of windows without readings."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from flink_job.metering.changes import zone_of
from flink_job.metering.contract import Contract, ContractError
from flink_job.metering.groups import Attached, parse_attached
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from flink_job.tariffs.supply_places import spans_of

#: End of a period without end [epoch ms]: year 9999.
FOREVER_MS = 253_402_300_800_000
LONG_AGO_MS = -FOREVER_MS
#: Separates the fields of an encoded term; it cannot be part of a path, a currency or a time zone.
SEPARATOR = "\x1e"


class ExpectedTerm(NamedTuple):
    """Readings are expected from `from_ms` until `until_ms` [epoch ms]; in no period if they are equal.

    `site_path` is qualified by the tenant. Windows are separate by path, currency, and path of
    the meter upstream (empty if there is none). `interval_s`: interval of the
    readings, 0 if the contract does not name it.
    """

    site_path: str
    currency: str
    zone: str
    from_ms: int
    until_ms: int
    interval_s: int
    upstream_path: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The fields by which windows are separate."""
        return self.site_path, self.currency, self.upstream_path

    def encoded(self) -> str:
        """The fields as one string, as read by flink_job/dataflow/sql/kpis/expected_meters.sql."""
        return SEPARATOR.join(map(str, self))


def expected_terms(attached: Attached, registry: TariffRegistry) -> list[ExpectedTerm]:
    """The terms of a contract, one for each site path, currency of its tariffs, and path of the meter upstream.

    A path to which the meter returns has one term, with the time between. An assignment whose tariff is not in the
    registry has no currency, so nothing is expected for it.
    """
    zone = zone_of(attached.contract)
    interval_s = attached.contract.interval_s
    spans = spans_of(attached)
    ends = [*(span.from_ms for span in spans), FOREVER_MS][1:]
    terms: dict[tuple[str, str, str], ExpectedTerm] = {}
    for span, leaves_ms in zip(spans, ends, strict=True):
        upstream = span.supply.upstream_path if span.supply is not None else ""
        for assigned_ms, replaced_ms, tariff_id in _assignments(span.rated, zone_named(zone)):
            try:
                currency = registry.versions(tariff_id)[0].currency
            except UnknownTariffError:
                continue
            from_ms, until_ms = max(assigned_ms, span.from_ms, LONG_AGO_MS), min(replaced_ms, leaves_ms)
            if from_ms < until_ms:
                key = span.place.site_path, currency, upstream
                first_ms = terms[key].from_ms if key in terms else from_ms
                terms[key] = ExpectedTerm(*key[:2], zone, first_ms, until_ms, interval_s, upstream)
    return list(terms.values())


def _assignments(contract: Contract, zone: tzinfo) -> list[tuple[int, int, str]]:
    """Return (from, until [epoch ms], tariff id) of each assignment."""
    starts = [local_midnight_ms(assignment.valid_from, zone) for assignment in contract.assignments]
    ids = [assignment.tariff_id for assignment in contract.assignments]
    return list(zip(starts, [*starts, FOREVER_MS][1:], ids, strict=True))


def changed_terms(document: str, previous: str | None, registry: TariffRegistry, tenant: str) -> list[ExpectedTerm]:
    """The terms of a contract document that is new or has replaced another.

    A path or currency of the previous document that the new one lacks has a term without a period.
    """
    terms = _of_document(document, registry, tenant)
    present = {term.key for term in terms}
    before = _of_document(previous, registry, tenant) if previous is not None else []
    ended = [term._replace(from_ms=0, until_ms=0) for term in before if term.key not in present]
    return [*terms, *ended]


def _of_document(document: str, registry: TariffRegistry, tenant: str) -> list[ExpectedTerm]:
    try:
        attached = parse_attached(document, tenant)
    except ContractError:  # accepted by an earlier release
        return []
    return expected_terms(attached, registry)
