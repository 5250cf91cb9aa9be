"""Samples: what the job tells the machines about one reading or KPI window, and how that travels."""

from __future__ import annotations

import msgspec


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """The signals of an interval. Event time is `at_ms`, the interval's beginning; `cost_u` what it cost [1e-6].

    `passed`: an earlier batch already contained it, so a machine that has state has seen it.
    """

    at_ms: int
    interval_s: int
    revision: int
    cost_u: int
    values: dict[str, float]
    passed: bool = False


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """What reaches an entity's machines at one arrival: samples in order of arrival.

    `source` is `reading`, or `kpi` with level and window; `currency` is that of the costs.
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
