"""Base of the tariff registry and the rule registry, which poll documents for changes while the job runs.

A document is in the folder of the registry, or in a subfolder named after its tenant: `spring.json` belongs to the
tenant `default`, `acme/spring.json` to the tenant `acme`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from flink_job.tenants import DEFAULT


class PolledRegistry(ABC):
    """A registry that loads its documents at most once in `refresh_s` seconds.

    `faults` has the error by document name. `generation` increases when what is in force changes; values derived from
    the registry are valid for one generation.

    The functions of a worker share a registry across threads; all wait until the first load is complete.
    """

    def __init__(self, refresh_s: float) -> None:
        self.refresh_s = refresh_s
        self.generation = 0
        self.faults: dict[str, str] = {}
        self._due_at = float("-inf")
        self._lock = threading.Lock()

    def refresh(self, now_s: float | None = None) -> Self:
        """Load changed documents if a refresh is due at `now_s` [monotonic s; default: now]. Returns the registry."""
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            if now_s >= self._due_at:
                self._load()
                self._due_at = now_s + self.refresh_s
        return self

    def reload(self) -> Self:
        """Load changed documents now. Returns the registry."""
        with self._lock:
            self._load()
        return self

    @abstractmethod
    def _load(self) -> None:
        """Read the documents that have changed and put them in force."""


class DocumentRegistry(PolledRegistry):
    """A registry whose documents are in force independently of each other.

    An invalid document does not replace its previous version.
    """

    def __init__(self, refresh_s: float) -> None:
        super().__init__(refresh_s)
        self._tags: dict[str, str] = {}

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
        """Yield (name, tag, content) of each document whose tag differs from the one in `_tags`."""

    @abstractmethod
    def _accept(self, name: str, content: bytes) -> None:
        """Parse a document and add it to the registry. Raises ValueError if it is invalid."""

    def _reject(self, name: str, fault: str) -> None:
        self.faults[name] = fault


def tenant_of_document(name: str) -> str:
    """Return the tenant of a document: the name of its subfolder, or the default tenant."""
    folder, separator, _ = name.partition("/")
    return folder if separator else DEFAULT
