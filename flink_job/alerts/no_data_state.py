"""State of an entity that no-data rules monitor."""

from __future__ import annotations

import msgspec

from flink_job.metering.site import Entity

#: Rank of an alert that has ended.
ENDED_RANK = -1


class NoDataAlert(msgspec.Struct, array_like=True):
    """An alert of an entity that does not report. `rank` is ENDED_RANK if it has ended, but the entity still does not.

    `notified`: a change that was not muted has been emitted. `subject` is that of the rule (Rule.subject) and
    `limit_ms` the duration of the level of `rank`; state of earlier versions has neither.
    """

    rank: int
    changes: int
    notified: bool
    subject: str = ""
    limit_ms: int = 0

    @property
    def is_open(self) -> bool:
        """True if the alert has not ended."""
        return self.rank > ENDED_RANK


class NoDataState(msgspec.Struct, array_like=True):
    """State of an entity: `last_ms` is the latest known arrival, `since_ms` the same while it does not report, or None.

    `alerts` are its alerts by rule id. One that ended while the entity does not report is retained, so that its changes
    are numbered on if it is raised again.
    """

    last_ms: int = -1
    since_ms: int | None = None
    alerts: dict[str, NoDataAlert] = {}


class _Stored(msgspec.Struct, array_like=True):
    entity: Entity
    state: NoDataState


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


def pack_no_data(entity: Entity, state: NoDataState) -> bytes:
    """The state of an entity as bytes."""
    return _encoder.encode(_Stored(entity, state))


def unpack_no_data(packed: bytes | None) -> tuple[Entity | None, NoDataState]:
    """(entity, state) from bytes; without bytes, None and an empty state."""
    if not packed:
        return None, NoDataState()
    stored = _decoder.decode(packed)
    return stored.entity, stored.state
