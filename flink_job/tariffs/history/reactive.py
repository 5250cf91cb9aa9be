"""The running reactive charge of a segment (see flink_job.tariffs.reactive)."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.intervals import previous_by, running_by, with_close
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Reactive
from flink_job.tariffs.reactive import above_free_share, reactive_amount
from flink_job.tariffs.state import State


def reactive_line(context: SegmentContext) -> Ints:
    """Return the running reactive charge, shape (n + 1,)."""
    rule = context.tariff.reactive
    if rule is None:
        return np.zeros(len(context.data.start_ms) + 1, dtype=np.int64)
    return reactive_amount(context.tariff, reactive_state(context, rule))


def reactive_state(context: SegmentContext, rule: Reactive) -> State:
    """Return the running accumulators that the reactive charge is a function of, of shape (n + 1,)."""

    def sums(quantity: Ints) -> tuple[Ints, ...]:
        periods = range(len(context.tariff.periods))
        return tuple(with_close(np.cumsum(np.where(context.period == p, quantity, 0))) for p in periods)

    data = context.data
    return State(
        sums(data.import_ukwh),
        (),
        (),
        reactive_uvarh=sums(data.reactive_uvarh),
        capacitive_uvarh=sums(data.capacitive_uvarh),
        above_uvarh=sums(_above(context, rule)) if rule.over == "interval" else (),
    )


def _above(context: SegmentContext, rule: Reactive) -> Ints:
    """Return what each reading adds to the reactive energy above the free share of its interval and TOU period."""
    data, interval_ms = context.data, rule.interval_s * 1000
    key = data.start_ms // interval_ms * interval_ms + context.period
    sums = (running_by(key, quantity) for quantity in (data.import_ukwh, data.reactive_uvarh))
    above = above_free_share(rule, *sums).astype(np.int64)
    return np.asarray(above - previous_by(key, above))
