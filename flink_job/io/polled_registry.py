"""Base of the tariff registry and the rule registry: documents that are polled, so that they can change at run time.

A document is in the registry's folder, or in a subfolder that is named after its tenant: `spring.json` belongs to the
tenant `default`, `acme/spring.json` to `acme`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from flink_job.tenants import DEFAULT


class PolledRegistry(ABC):
    """Documents that are loaded again at most once in `refresh_s` seconds, if they have changed.

    A faulty document does not replace the one before it; `faults` has the reason by document name. `generation` grows
    with each document that is accepted: what is derived from the registry is valid for one generation.

    The functions of a worker share a registry from several threads; none proceeds before the first load is complete.
    """

    def __init__(self, refresh_s: float) -> None:
        self.refresh_s = refresh_s
        self.generation = 0
        self.faults: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._due_at = float("-inf")
        self._lock = threading.Lock()

    def refresh(self, now_s: float | None = None) -> Self:
        """Load changed documents if that is due at `now_s`, in monotonic seconds (default: now); returns itself."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            if now_s >= self._due_at:
                self._load()
                self._due_at = now_s + self.refresh_s
        return self

    def reload(self) -> Self:
        """Load changed documents now; returns itself."""
        with self._lock:
            self._load()
        return self

    def _load(self) -> None:
        for name, tag, content in self._changed():
            self._tags[name] = tag
            try:
                self._accept(name, content)
            except ValueError as error:
                self._reject(name, str(error))
                continue
            self.faults.pop(name, None)
            self.generation += 1

    @abstractmethod
    def _changed(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (name, tag, content) of each document whose tag is not the one in `_tags`."""

    @abstractmethod
    def _accept(self, name: str, content: bytes) -> None:
        """Parse a document and put it in force. Raises ValueError if it is faulty."""

    def _reject(self, name: str, fault: str) -> None:
        self.faults[name] = fault


def tenant_of_document(name: str) -> str:
    """The tenant that a document belongs to: the name of its folder."""
    folder, separator, _ = name.partition("/")
    return folder if separator else DEFAULT
