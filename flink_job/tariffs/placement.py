"""Contracts and what they share, ready to place many readings at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from flink_job.metering.contract import Contract, of_tenant, parse_contract, parse_outline
from flink_job.metering.packing import ABSENT
from flink_job.metering.site import Entity, meter_of
from flink_job.metering.units import to_micro
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tariffs.resolve import MeterTimeline, Position

#: Contracts (some 550 bytes each, 1,850 where each names contracted power of its own) and positions remembered; when
#: there are more, all are forgotten.
MAX_PLACES, MAX_POSITIONS = 200_000, 100_000


class SharedTerms:
    """What contracts of the same terms have in common: readings that begin together lie at the same position."""

    def __init__(
        self, number: int, contract: Contract, registry: TariffRegistry, timelines: dict[Any, Timeline]
    ) -> None:
        self.number = number
        self.timeline = MeterTimeline(contract, registry, timelines)


class Agreement:
    """What contracts have in common that agree the same: all but the meter, its place on the site and its tags. The
    contract itself is kept only where it names contracted power.
    """

    __slots__ = ("contract", "contracted", "multiplier", "registry", "terms")

    def __init__(self, contract: Contract, terms: SharedTerms, registry: TariffRegistry) -> None:
        self.terms, self.registry = terms, registry
        self.multiplier = None if contract.multiplier == 1 else contract.multiplier
        named = any(assignment.contracted_kw for assignment in contract.assignments)
        self.contract = contract if named else None
        self.contracted: dict[tuple[str, int], int] | None = {} if named else None

    def contracted_uw(self, at: Position) -> int:
        """Contracted power of the period [1e-6 kW], ABSENT where the contract names none."""
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


class MeterPlace(NamedTuple):
    """What of one contract its readings need. `devices` may speak for the meter; without any, every device."""

    meter: Entity
    agreed: Agreement
    devices: frozenset[str] = frozenset()

    def may_speak(self, device: str | None) -> bool:
        """True for a device of the contract, and for a record that no device sent but a trusted back end."""
        return not self.devices or device is None or device in self.devices


class Places:
    """Contracts by document, and positions by terms and beginning, numbered so that columns can be taken by number."""

    def __init__(self, registry: TariffRegistry, tenant: str) -> None:
        """`tenant` is whose contracts are that name no tenant."""
        self.registry, self.tenant = registry, tenant
        self.timelines: dict[Any, Timeline] = {}
        self.terms: dict[Any, SharedTerms] = {}
        self.agreements: dict[tuple[bytes, ...], Agreement] = {}
        self.by_document: dict[str, MeterPlace] = {}
        self._forget()

    def of(self, document: str) -> MeterPlace:
        """The place of a contract. Raises ContractError."""
        place = self.by_document.get(document)
        if place is None:
            outline = parse_outline(document)
            if len(self.by_document) >= MAX_PLACES:
                self.by_document.clear()
            agreed = self._agreed((outline.tenant.encode(), *outline.terms), document)
            place = MeterPlace(meter_of(outline, self.tenant), agreed, frozenset(outline.devices))
            self.by_document[document] = place
        return place

    def position(self, terms: SharedTerms, start_ms: int) -> int:
        """Number of the position of a reading that begins at an instant [epoch ms].

        Raises UnknownTariffError or CalendarError.
        """
        key = (terms.number, start_ms)
        number = self.numbers.get(key)
        if number is None:
            number = len(self.positions)
            self.positions.append(terms.timeline.position(start_ms))
            self.numbers[key] = number
        return number

    def start_batch(self) -> None:
        """Forget positions where there are too many; numbers hold within a batch."""
        if len(self.positions) > MAX_POSITIONS:
            self._forget()

    def columns(self, numbers: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
        """Columns of positions, by attribute; ABSENT or NULL for number -1."""
        found, codes = np.unique(np.array(numbers, dtype=np.int64), return_inverse=True)
        rows = [self.positions[number] if number >= 0 else None for number in found]
        return {name: _taken([getattr(row, name, None) for row in rows], codes) for name in names}

    def _agreed(self, agreed: tuple[bytes, ...], document: str) -> Agreement:
        found = self.agreements.get(agreed)
        if found is None:
            contract = of_tenant(parse_contract(document), self.tenant)
            if len(self.agreements) >= MAX_PLACES:
                self.agreements.clear()
            found = self.agreements[agreed] = Agreement(contract, self._terms(contract), self.registry)
        return found

    def _terms(self, contract: Contract) -> SharedTerms:
        assigned = tuple((a.tariff_id, a.valid_from) for a in contract.assignments)
        key = (contract.timezone, contract.billing_day, contract.cycle_starts, assigned)
        if key not in self.terms:
            self.terms[key] = SharedTerms(len(self.terms), contract, self.registry, self.timelines)
        return self.terms[key]

    def _forget(self) -> None:
        self.numbers: dict[tuple[int, int], int] = {}
        self.positions: list[Position] = []


def _taken(values: list[Any], codes: Any) -> Any:
    """Values by code: integers with ABSENT for None, texts with None."""
    if any(isinstance(value, int) for value in values):
        return np.array([ABSENT if value is None else value for value in values], dtype=np.int64)[codes]
    return np.array(values, dtype=object)[codes]
