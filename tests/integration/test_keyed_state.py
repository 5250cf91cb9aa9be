"""Keyed state of Python functions, on PyFlink's own code; a stand-in for the JVM notes what it is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from apache_beam.runners.worker.sdk_worker import GlobalCachingStateHandler, _Future
from apache_beam.runners.worker.statecache import StateCache
from pyflink.common import Types
from pyflink.fn_execution.coders import from_type_info
from pyflink.fn_execution.datastream.process.runtime_context import StreamingRuntimeContext
from pyflink.fn_execution.state_impl import RemoteKeyedStateBackend

from udfs.keyed_state import KeyedStateError, keyed_state


class Answer(_Future):
    """An answer that is there at once."""

    def __init__(self, jvm: FakeJvm) -> None:
        super().__init__()
        self.jvm = jvm

    def get(self, timeout: float | None = None) -> Any:
        self.jvm.noted.append("waited")
        return SimpleNamespace(error=self.jvm.error)


class FakeJvm:
    """Keeps values by key, and notes what is sent and what is waited for, in order."""

    def __init__(self, error: str = "") -> None:
        self.kept: dict[bytes, bytes] = {}
        self.noted: list[str] = []
        self.error = error

    def process_instruction_id(self, bundle: str) -> Any:
        return contextlib.nullcontext()

    def get_raw(self, state_key: Any, page: bytes | None) -> tuple[bytes, None]:
        self.noted.append("read")
        return self.kept.get(state_key.bag_user_state.key, b""), None

    def clear(self, state_key: Any) -> Any:
        self.kept.pop(state_key.bag_user_state.key, None)
        return self._sent()

    def append_raw(self, state_key: Any, data: bytes) -> Any:
        key = state_key.bag_user_state.key
        self.kept[key] = self.kept.get(key, b"") + data
        return self._sent()

    def _sent(self) -> Answer:
        self.noted.append("sent")
        return Answer(self)


@contextlib.contextmanager
def bundle(jvm: FakeJvm, entries: int = 1000) -> Iterator[tuple[RemoteKeyedStateBackend, Any]]:
    """(what keeps a function's state, that state), of which so many entries stay in memory."""
    handler = GlobalCachingStateHandler(StateCache(entries), jvm)
    backend = RemoteKeyedStateBackend(handler, from_type_info(Types.STRING()), None, entries, entries, entries)
    context = StreamingRuntimeContext.__new__(StreamingRuntimeContext)
    context._keyed_state_backend = backend
    state = keyed_state(context, "states", days=62)
    assert keyed_state(context, "states", days=62) is state
    with handler.process_instruction_id("bundle", ()):
        yield backend, state


def count_up(backend: RemoteKeyedStateBackend, state: Any, keys: int, times: int) -> list[int]:
    """Add one to the value of each key in turn; the last values."""
    for number in range(keys * times):
        backend.set_current_key(f"m-{number % keys}")
        state.update((state.value() or 0) + 1)
    found = []
    for number in range(keys):
        backend.set_current_key(f"m-{number}")
        found.append(state.value())
    return found


def test_changes_of_a_bundle_are_sent_together_and_then_waited_for() -> None:
    jvm = FakeJvm()
    with bundle(jvm) as (backend, state):
        assert count_up(backend, state, keys=10, times=3) == [3] * 10
        # Of each key the first value is read, and nothing is sent as long as the bundle lasts.
        assert jvm.noted == ["read"] * 10
        backend.commit()
    # Each key's old value is cleared and the new one added.
    assert jvm.noted[10:] == ["sent"] * 20 + ["waited"] * 20
    with bundle(jvm) as (backend, state):
        assert count_up(backend, state, keys=10, times=1) == [4] * 10


def test_what_finds_no_place_in_memory_is_sent_before_and_read_again() -> None:
    jvm = FakeJvm()
    with bundle(jvm, entries=2) as (backend, state):
        assert count_up(backend, state, keys=6, times=3) == [3] * 6
        backend.commit()
    assert jvm.noted.count("sent") == jvm.noted.count("waited") == 2 * 6 * 3
    assert jvm.noted.count("read") > 6


def test_a_change_that_the_jvm_cannot_take_fails_the_bundle() -> None:
    with bundle(FakeJvm("no space left")) as (backend, state):
        backend.set_current_key("m-1")
        state.clear()
        with pytest.raises(KeyedStateError, match="no space left"):
            backend.commit()
