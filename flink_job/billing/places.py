"""Places of a meter by time: its site path, its role in a supply, and the path of the meter upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.groups import Attached
from flink_job.tariffs.supply_places import spans_of
from flink_job.tenants import plain

#: (site path, role, site path of the meter upstream or ""), not qualified.
Place = tuple[str, str, str]


@dataclass(frozen=True)
class MeterPlaces:
    """The places of a meter by its contract, with those that belong to it.

    `streamed_paths`: site paths of intervals in the stream by start [epoch ms]; these remain, also if the contract has
    another path now.
    """

    attached: Attached
    streamed_paths: Mapping[int, str] = field(default_factory=dict)

    @property
    def meter_id(self) -> str:
        """The meter, qualified by its tenant."""
        return self.attached.contract.meter_id

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
        spans = spans_of(self.attached)
        found = []
        for span in spans:
            role, upstream = ("main", "") if span.supply is None else (span.supply.role, span.supply.upstream_path)
            found.append((plain(span.place.site_path), role, plain(upstream)))
        return np.array([span.from_ms for span in spans], dtype=np.int64), found
