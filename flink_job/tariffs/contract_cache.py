"""A cache of decoded contracts and tariff positions, to resolve batches of many readings."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import numpy as np

from flink_job.metering.changes import billing_days, zone_of
from flink_job.metering.contract import Assignment, Contract, of_tenant
from flink_job.metering.contract_document import parse_contract, parse_outline
from flink_job.metering.groups import has_attachments, own_document, parse_attached
from flink_job.metering.highest_power import highest_power_of
from flink_job.metering.local_days import LocalDays
from flink_job.metering.packing import ABSENT
from flink_job.metering.site import Entity, meter_at, meter_of
from flink_job.metering.units import to_micro
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.plan import Counting
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from flink_job.tariffs.resolve import ContractTimeline, TariffPosition
from flink_job.tariffs.supply_places import Span, spans_of

#: Maximum number of cached contracts (about 550 bytes each, 1,850 with contracted power of their own) and of positions.
#: A cache that is full is cleared.
MAX_CONTRACTS, MAX_POSITIONS = 200_000, 100_000


class NumberedTimeline(NamedTuple):
    """The timeline of contracts with equal time zone, billing cycles and tariffs; `number` is part of cache keys."""

    number: int
    timeline: ContractTimeline


class ContractTerms:
    """Contract terms shared by many meters: everything except meter id, site path, tags, tenant and devices.

    The contract itself is retained only if it specifies contracted power.
    """

    __slots__ = ("contract", "contracted", "highest_uw", "multiplier", "registry", "timeline")

    def __init__(
        self, contract: Contract, timeline: NumberedTimeline, registry: TariffRegistry, highest_uw: int
    ) -> None:
        self.timeline, self.registry, self.highest_uw = timeline, registry, highest_uw
        self.multiplier = None if contract.multiplier == 1 else contract.multiplier
        has_power = any(assignment.contracted_kw for assignment in contract.assignments)
        self.contract = contract if has_power else None
        self.contracted: dict[tuple[str, int], int] | None = {} if has_power else None

    @property
    def days(self) -> LocalDays:
        """The local days of the site."""
        return self.timeline.timeline.days

    def contracted_uw(self, at: TariffPosition) -> int:
        """Return the contracted power of the TOU period [1e-6 kW], ABSENT if the contract does not specify it."""
        if self.contract is None or self.contracted is None:
            return ABSENT
        key = (at.segment_key, at.tou_period)
        if key not in self.contracted:
            self.contracted[key] = self._contracted(self.contract, at.segment, at.tou_period)
        return self.contracted[key]

    def _contracted(self, contract: Contract, segment: Segment, tou_period: int) -> int:
        period = self.registry.version(segment.tariff_id, segment.tariff_version).periods[tou_period]
        kw: dict[str, Any] = {}
        for assignment in contract.assignments:
            if assignment.tariff_id == segment.tariff_id and (assignment.valid_from <= segment.cycle_start or not kw):
                kw = dict(assignment.contracted_kw)
        found = kw.get(period, next(iter(kw.values())) if len(kw) == 1 else None)
        return ABSENT if found is None else to_micro(found)


class ResolvedContract(NamedTuple):
    """The contract of a meter as needed by its readings. Empty `devices` authorize every device of the tenant.

    `supply`: SupplyPlace.encoded; None if it measures one of its own name.
    """

    meter: Entity
    terms: ContractTerms
    devices: frozenset[str] = frozenset()
    supply: str | None = None
    changes: tuple[tuple[int, ResolvedContract], ...] = ()
    """(start [epoch ms], contract from then on) of each change of place or multiplier, in order."""
    is_sensor: bool = False

    def at(self, start_ms: int) -> ResolvedContract:
        """Return the contract as it is for a reading that starts at an instant [epoch ms]."""
        begun = [contract for since_ms, contract in self.changes if since_ms <= start_ms]
        return begun[-1] if begun else self

    def accepts(self, device: str | None) -> bool:
        """Return True if the device is authorized for the meter, or if the record was not sent by a device."""
        return not self.devices or device is None or device in self.devices


class ContractCache:
    """Contracts by document, and positions by timeline and start. Positions are numbered, to build columns by index."""

    def __init__(self, registry: TariffRegistry, tenant: str) -> None:
        """Create an empty cache; `tenant` is the tenant of contracts without one."""
        self.registry, self.tenant = registry, tenant
        self.timelines: dict[Any, NumberedTimeline] = {}
        self.terms: dict[tuple[bytes, ...], ContractTerms] = {}
        self.by_document: dict[str, ResolvedContract] = {}
        self._clear_positions()

    def get(self, document: str, start_ms: int) -> ResolvedContract:
        """Return the contract in a JSON document for a reading that starts at an instant. Raises ContractError."""
        contract = self.by_document.get(document)
        if contract is None:
            outline = parse_outline(own_document(document))
            if len(self.by_document) >= MAX_CONTRACTS:
                self.by_document.clear()
            if outline.changes or outline.supply_point or outline.role or has_attachments(document):
                contract = self._changing(document)
            else:
                terms = self._terms((outline.tenant.encode(), *outline.terms), document)
                contract = ResolvedContract(meter_of(outline, self.tenant), terms, frozenset(outline.devices))
            self.by_document[document] = contract
        return contract.at(start_ms) if contract.changes else contract

    def position(self, numbered: NumberedTimeline, start_ms: int, interval_s: int, is_read: bool) -> int:
        """Return the number of the position of a reading (see ContractTimeline.position).

        Raises UnknownTariffError or CalendarError.
        """
        key = (numbered.number, start_ms, interval_s, is_read)
        number = self.numbers.get(key)
        if number is None:
            number = len(self.positions)
            self.positions.append(numbered.timeline.position(start_ms, interval_s, is_read))
            self.numbers[key] = number
        return number

    def start_batch(self) -> None:
        """Clear the positions if there are too many; their numbers are valid within a batch."""
        if len(self.positions) > MAX_POSITIONS:
            self._clear_positions()

    def columns(self, numbers: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
        """Return columns of positions by attribute; ABSENT or NULL for number -1."""
        found, codes = np.unique(np.array(numbers, dtype=np.int64), return_inverse=True)
        rows = [self.positions[number] if number >= 0 else None for number in found]
        return {name: _by_code([getattr(row, name, None) for row in rows], codes) for name in names}

    def _terms(self, key: tuple[bytes, ...], document: str) -> ContractTerms:
        found = self.terms.get(key)
        if found is None:
            contract = of_tenant(parse_contract(document, accept_unknown=True), self.tenant)
            if len(self.terms) >= MAX_CONTRACTS:
                self.terms.clear()
            found = self.terms[key] = ContractTerms(
                contract, self._timeline(contract), self.registry, highest_power_of(contract)
            )
        return found

    def _changing(self, document: str) -> ResolvedContract:
        """Return a contract with changes or of a supply point, whose terms are not shared."""
        first, *later = (
            (span.from_ms, self._of_span(span, frozenset(span.place.devices)))
            for span in spans_of(parse_attached(document, self.tenant))
        )
        return first[1]._replace(changes=tuple(later))

    def _of_span(self, span: Span, devices: frozenset[str]) -> ResolvedContract:
        rated = span.rated
        timeline = self._timeline(rated, span.counting)
        place = msgspec.structs.replace(span.place, assignments=rated.assignments)
        terms = ContractTerms(place, timeline, self.registry, highest_power_of(span.place))
        supply = None if span.supply is None else span.supply.encoded()
        is_sensor = span.supply is not None and span.supply.role == "sensor"
        return ResolvedContract(meter_at(place), terms, devices, supply, is_sensor=is_sensor)

    def _timeline(self, contract: Contract, counting: Counting = Counting.ALONE) -> NumberedTimeline:
        assigned = tuple((a.tariff_id, a.valid_from, self._charged_power(a)) for a in contract.assignments)
        cycles = contract.billing_day, contract.cycle_starts, billing_days(contract)
        key = (zone_of(contract), cycles, assigned, counting)
        if key not in self.timelines:
            timeline = ContractTimeline(contract, self.registry, counting)
            self.timelines[key] = NumberedTimeline(len(self.timelines), timeline)
        return self.timelines[key]

    def _charged_power(self, assignment: Assignment) -> tuple[tuple[str, Decimal], ...]:
        """Return the contracted power of an assignment, if its tariff charges it: then readings depend on it."""
        if not assignment.contracted_kw:
            return ()
        try:
            versions = self.registry.versions(assignment.tariff_id)
        except UnknownTariffError:
            return ()
        return tuple(sorted(assignment.contracted_kw.items())) if any(v.contracted for v in versions) else ()

    def _clear_positions(self) -> None:
        self.numbers: dict[tuple[int, int, int, bool], int] = {}
        self.positions: list[TariffPosition] = []


def _by_code(values: list[Any], codes: Any) -> Any:
    """Return values by index: integers with ABSENT for None, or objects."""
    if any(type(value) is int for value in values):  # not a boolean
        return np.array([ABSENT if value is None else value for value in values], dtype=np.int64)[codes]
    return np.array(values, dtype=object)[codes]
