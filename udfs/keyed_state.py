"""Keyed state of a Python function, which the JVM stores and the worker reads and changes by messages."""

from __future__ import annotations

from typing import Any

from pyflink.common import Time, Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import StateTtlConfig, ValueState, ValueStateDescriptor


class KeyedStateError(RuntimeError):
    """A change of state that failed in the JVM; the message is the JVM's."""


def keyed_state(context: RuntimeContext, name: str, days: int) -> ValueState:
    """Return the state `name`: a value for each key, with a TTL of `days` after its last change.

    An expired value may be read until Flink has removed it. PyFlink caches values in the worker only with this setting;
    otherwise it sends each change as a message of its own and waits for the response.
    """
    lifetime = StateTtlConfig.new_builder(Time.days(days)).return_expired_if_not_cleaned_up().build()
    descriptor = ValueStateDescriptor(name, Types.PICKLED_BYTE_ARRAY())
    descriptor.enable_time_to_live(lifetime)
    state = context.get_state(descriptor)
    _send_together(state._remote_state_backend)
    return state


def _send_together(backend: Any) -> None:
    """Make a state backend send all changes of a bundle before it waits for responses.

    PyFlink sends the value of a key, waits for the response and sends the next; in a worker that is busy with other
    functions a response takes 2 ms.
    """
    if not isinstance(backend._state_handler, _Together):
        backend._state_handler = together = _Together(backend._state_handler, backend.commit)
        backend.commit = together.commit


class _Together:
    """A state handler that waits for the responses to changes only when the bundle is committed."""

    def __init__(self, handler: Any, commit: Any) -> None:
        self._handler, self._commit = handler, commit
        self._sent: list[Any] = []
        self.blocking_get = handler.blocking_get

    def clear(self, state_key: Any) -> None:
        """Send the removal of a value."""
        self._sent.append(self._handler.clear(state_key))

    def extend(self, state_key: Any, coder: Any, elements: Any) -> None:
        """Send elements to add to a state."""
        self._sent.append(self._handler.extend(state_key, coder, elements))

    def commit(self) -> None:
        """Send the changes of the bundle and wait for all responses. Raises KeyedStateError.

        The JVM processes messages in order, so a read after a change returns the changed value.
        """
        self._commit()
        sent, self._sent = self._sent, []
        for answer in sent:
            if error := answer.get().error:
                raise KeyedStateError(error)
