"""Keyed state of a Python function: kept by the JVM, asked for and changed by messages."""

from __future__ import annotations

from typing import Any

from pyflink.common import Time, Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import StateTtlConfig, ValueState, ValueStateDescriptor


class KeyedStateError(RuntimeError):
    """The JVM could not take a change of state; the message is its own."""


def keyed_state(context: RuntimeContext, name: str, days: int) -> ValueState:
    """A value for each key, that outlives its last change by `days`.

    A value that is older may still be read until Flink has removed it. PyFlink keeps values in memory only then: else
    each change is a message of its own, and its answer waited for.
    """
    lifetime = StateTtlConfig.new_builder(Time.days(days)).return_expired_if_not_cleaned_up().build()
    descriptor = ValueStateDescriptor(name, Types.PICKLED_BYTE_ARRAY())
    descriptor.enable_time_to_live(lifetime)
    state = context.get_state(descriptor)
    _send_together(state._remote_state_backend)
    return state


def _send_together(backend: Any) -> None:
    """Have what a bundle changed sent all at once. PyFlink sends the value of a key, waits for the answer, and sends
    the next; in a worker that is busy with other functions an answer takes 2 ms.
    """
    if not isinstance(backend._state_handler, _Together):
        backend._state_handler = together = _Together(backend._state_handler, backend.commit)
        backend.commit = together.commit


class _Together:
    """A handler of state that does not wait for the answers to changes before the bundle's end."""

    def __init__(self, handler: Any, commit: Any) -> None:
        self._handler, self._commit = handler, commit
        self._sent: list[Any] = []
        self.blocking_get = handler.blocking_get

    def clear(self, state_key: Any) -> None:
        self._sent.append(self._handler.clear(state_key))

    def extend(self, state_key: Any, coder: Any, elements: Any) -> None:
        self._sent.append(self._handler.extend(state_key, coder, elements))

    def commit(self) -> None:
        """Changes and reads are answered in the order in which they are sent: what was changed is what is read."""
        self._commit()
        sent, self._sent = self._sent, []
        for answer in sent:
            if error := answer.get().error:
                raise KeyedStateError(error)
