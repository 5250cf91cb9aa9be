"""The running reactive charge of a segment (see flink_job.tariffs.reactive)."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.reactive import reactive_amount
from flink_job.tariffs.state import State


def reactive_line(context: SegmentContext) -> Ints:
    """Return the running reactive charge, shape (n + 1,)."""
    if context.tariff.reactive is None:
        return np.zeros(len(context.at_ms), dtype=np.int64)

    def sums(quantity: Ints) -> tuple[Ints, ...]:
        periods = range(len(context.tariff.periods))
        return tuple(with_close(np.cumsum(np.where(context.period == p, quantity, 0))) for p in periods)

    data = context.data
    state = State(
        sums(data.import_ukwh),
        (),
        (),
        reactive_uvarh=sums(data.reactive_uvarh),
        capacitive_uvarh=sums(data.capacitive_uvarh),
    )
    return reactive_amount(context.tariff, state)
