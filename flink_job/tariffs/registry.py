"""The tariff registry: every version of every tariff, loaded from a folder or an S3 prefix and refreshed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from flink_job.tariffs.document import parse_tariff
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tenants import DEFAULT, is_tenant, plain, qualified, tenant_of


class UnknownTariffError(LookupError):
    """A tariff that the registry lacks, or no version of it in force on a day. `code` tells which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class DocumentStore(Protocol):
    """Where the documents of the registry lie. Those of a tenant are in a folder of its name, `acme/spring.json`."""

    def changed(self, known: dict[str, str]) -> Iterator[tuple[str, str, bytes]]:
        """(name, tag, content) of every document whose tag differs from `known[name]`."""
        ...


@dataclass
class TariffRegistry:
    """Tariffs by id and version; the id is qualified by the tenant (see flink_job.tenants), whose own they are: nobody
    else finds them. A faulty document is kept out; `faults` tells why, by its name.
    """

    store: DocumentStore
    refresh_s: float = 300.0
    faults: dict[str, str] = field(default_factory=dict)
    generation: int = 0
    _tags: dict[str, str] = field(default_factory=dict)
    _versions: dict[str, dict[str, Tariff]] = field(default_factory=dict)
    _due_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, now_s: float) -> None:
        """Load what has changed, at most once in `refresh_s` (monotonic seconds `now_s`).

        Functions of one worker share the registry from several threads: none goes on before the first load is complete.
        """
        with self._lock:
            if now_s >= self._due_at:
                self._load()
                self._due_at = now_s + self.refresh_s

    def reload(self) -> None:
        """Load what has changed, now."""
        with self._lock:
            self._load()

    def _load(self) -> None:
        for name, tag, content in self.store.changed(self._tags):
            self._tags[name] = tag
            self.generation += 1
            try:
                tariff = _of_tenant(parse_tariff(content, name), name)
            except TariffError as error:
                self.faults[name] = str(error)
                continue
            self.faults.pop(name, None)
            self._versions.setdefault(tariff.tariff_id, {})[tariff.version] = tariff

    def all(self) -> list[Tariff]:
        """Every version of every tariff, by id and validity."""
        found = [tariff for versions in self._versions.values() for tariff in versions.values()]
        return sorted(found, key=lambda t: (t.tariff_id, t.valid_from))

    def version(self, tariff_id: str, version: str) -> Tariff:
        """One version of a tariff. Raises UnknownTariffError."""
        try:
            return self._versions[tariff_id][version]
        except KeyError:
            raise UnknownTariffError("unknown_tariff", f"no tariff {plain(tariff_id)!r} version {version!r}") from None

    def versions(self, tariff_id: str) -> list[Tariff]:
        """All versions of a tariff, by validity. Raises UnknownTariffError when there are none."""
        if tariff_id not in self._versions:
            tenant = tenant_of(tariff_id)
            faults = [name for name in self.faults if tenant_of_document(name) == tenant]
            faulty = f"; faulty documents: {', '.join(faults)}" if faults else ""
            raise UnknownTariffError(
                "unknown_tariff", f"the tariff registry has no tariff {plain(tariff_id)!r}{faulty}"
            )
        return sorted(self._versions[tariff_id].values(), key=lambda t: t.valid_from)

    def in_force(self, tariff_id: str, day: date) -> tuple[Tariff, date, date | None]:
        """(tariff, first day, first day no longer) of the version in force on a local day.

        A version lasts until its valid_to or the next version's valid_from. Raises UnknownTariffError.
        """
        versions = self.versions(tariff_id)
        for tariff, following in zip(versions, [*versions[1:], None], strict=True):
            ends = [d for d in (tariff.valid_to, following.valid_from if following else None) if d is not None]
            if tariff.valid_from <= day and (not ends or day < min(ends)):
                return tariff, tariff.valid_from, min(ends, default=None)
        raise UnknownTariffError("no_tariff_version", f"no version of tariff {plain(tariff_id)!r} is in force on {day}")


def tenant_of_document(name: str) -> str:
    """Whose a document is: the folder's that it lies in."""
    folder, separator, _ = name.partition("/")
    return folder if separator else DEFAULT


def _of_tenant(tariff: Tariff, name: str) -> Tariff:
    tenant = tenant_of_document(name)
    if not is_tenant(tenant) or name.count("/") > 1:
        raise TariffError(name, ["a document lies in the registry's folder, or in a folder of a tenant's name in it"])
    return dataclasses.replace(tariff, tariff_id=qualified(tenant, tariff.tariff_id))
