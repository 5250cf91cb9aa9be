"""Places of a meter by time: its site path, its role in a supply, and the path of the meter upstream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.metering.membership import Membership, memberships
from flink_job.tenants import plain

#: (site path, role, site path of the meter upstream or ""), not qualified.
Place = tuple[str, str, str]


@dataclass(frozen=True)
class MeterPlaces:
    """The places of a meter by its contract.

    `mains`: see `first_mains`. `streamed_paths`: site paths of intervals in the stream by start [epoch ms]; these
    remain, also if the contract has another path now.
    """

    contract: Contract
    contracts: Mapping[str, Contract]
    mains: Mapping[str, str]
    streamed_paths: Mapping[int, str] = field(default_factory=dict)

    @property
    def meter_id(self) -> str:
        """The meter, qualified by its tenant."""
        return self.contract.meter_id

    @property
    def known(self) -> list[Place]:
        """The places in order of time."""
        return self._spans[1]

    def at(self, starts_ms: NDArray[np.int64]) -> tuple[NDArray[np.object_], ...]:
        """Return (site paths, roles, paths of the meter upstream) of intervals, each of shape (n,)."""
        instants, places = self._spans
        spans = np.searchsorted(instants, starts_ms, "right") - 1
        path, role, upstream = (np.array(column, dtype=object)[spans] for column in zip(*places, strict=True))
        streamed = [self.streamed_paths.get(start) for start in starts_ms.tolist()] if self.streamed_paths else ()
        for row, known in enumerate(streamed):
            if known is not None:
                path[row] = known
        return path, role, upstream

    @cached_property
    def _spans(self) -> tuple[NDArray[np.int64], list[Place]]:
        """The instants from which on each place is that of the meter [epoch ms], and the places."""
        places, members = Places(self.contract), memberships(self.contract)
        upstream = [self._upstream(member) for member in members]
        starts = {*(member.from_ms for member in members), *places.starts_ms}
        starts |= {start for found in upstream if found is not None for start in found.starts_ms}
        found: list[Place] = []
        for start in sorted(starts):
            number = next(n for n, member in enumerate(members) if member.from_ms <= start < member.until_ms)
            above = upstream[number]
            path = "" if above is None else plain(above.at(start).site_path)
            found.append((plain(places.at(start).site_path), members[number].role, path))
        return np.array(sorted(starts), dtype=np.int64), found

    def _upstream(self, member: Membership) -> Places | None:
        if member.role != "sub":
            return None
        contract = self.contracts.get(member.upstream or self.mains.get(member.supply_point, ""))
        return None if contract is None else Places(contract)


def first_mains(contracts: Iterable[Contract]) -> dict[str, str]:
    """Return the main of each supply point that is upstream of submeters which name none: the first by name."""
    found: dict[str, str] = {}
    for contract in sorted(contracts, key=lambda one: one.meter_id):
        for member in memberships(contract):
            if member.role == "main":
                found.setdefault(member.supply_point, contract.meter_id)
    return found
