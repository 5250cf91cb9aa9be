"""Samples: the input of the alert state machines, and their JSON encoding between operators."""

from __future__ import annotations

import msgspec

#: Sources of batches without samples: kinds of rows of `Presence` (flink_job/java).
MOVED, GONE = "moved", "gone"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """The signals of a reading's interval or a KPI window.

    Event time `at_ms` is the start of the interval [epoch ms]; `cost_u` is its cost in 1e-6 of the currency.
    `is_resent`: an earlier batch contained the sample, so a state machine with state has processed it.
    `is_partial`: the input ended before all readings of the window were known.
    """

    at_ms: int
    interval_s: int
    revision: int
    cost_u: int
    values: dict[str, float]
    is_resent: bool = False
    is_partial: bool = False


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """The samples of an entity that are forwarded at one arrival, in order of arrival.

    `source` is `reading` with level `meter` or `supply`, or `kpi` with level and window; `currency` is that of the
    costs. A batch without samples has the source MOVED (site path and tags are what they are now) or GONE (no meter
    belongs to the entity any more).
    """

    entity: str
    site_path: str
    tags: str
    source: str
    level: str
    window_s: int
    arrival_ms: int
    currency: str
    samples: tuple[Sample, ...]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Batch)


def encode_batch(batch: Batch) -> str:
    """A batch as JSON text."""
    return _encoder.encode(batch).decode()


def decode_batch(text: str) -> Batch:
    """The batch in JSON text."""
    return _decoder.decode(text)
