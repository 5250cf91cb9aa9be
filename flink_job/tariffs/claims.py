"""Decides the tariff versions in force: those of valid documents, and those of copies of documents once in force.

The result depends on the documents and copies alone, not on the order in which they were found: a registry that has
just started returns the same versions as one that has run for months.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from flink_job.tariffs.model import Tariff
from flink_job.tenants import plain


class CopyKey(NamedTuple):
    """A copy: of the document `name`, when it held the version of `tariff_id` that is valid from a day."""

    name: str
    tariff_id: str
    valid_from: date


@dataclass
class Claims:
    """The versions in force by (tariff id, start of validity), each with the name of its document.

    `refused`: fault by name of a valid document whose version is not in force. `orphans`: names of documents that no
    longer hold a tariff of which they had versions, by tariff id.
    """

    in_force: dict[tuple[str, date], tuple[str, Tariff]] = field(default_factory=dict)
    _by_version: dict[tuple[str, str], tuple[str, Tariff]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    orphans: dict[str, set[str]] = field(default_factory=dict)

    def add(self, name: str, tariff: Tariff) -> bool:
        """Put a version in force. Returns False if one of the same name or start of validity already is."""
        if self.rival(tariff) is not None:
            return False
        self.in_force[tariff.tariff_id, tariff.valid_from] = name, tariff
        self._by_version[tariff.tariff_id, tariff.version] = name, tariff
        return True

    def rival(self, tariff: Tariff) -> tuple[str, Tariff] | None:
        """Return (document, version) in force that has the name or the start of validity of a version."""
        same_start = self.in_force.get((tariff.tariff_id, tariff.valid_from))
        return same_start or self._by_version.get((tariff.tariff_id, tariff.version))

    def tariffs(self) -> list[Tariff]:
        """All versions in force, ordered by id and start of validity."""
        return [tariff for _, (_, tariff) in sorted(self.in_force.items(), key=lambda item: item[0])]


def settle_claims(documents: Mapping[str, Tariff | None], copies: Mapping[CopyKey, Tariff]) -> Claims:
    """Return the versions in force of documents by name (None for an invalid one) and of copies.

    Versions of one tariff must differ in name and in start of validity. Of two that do not, the one whose document was
    in force before (it has a copy) stays, then that of the first document by name, and the other is refused. The copies
    of an invalid, refused or deleted document stay in force; those of a document that is in force only for the time
    before it: a document that is replaced by the next version retains the previous one.
    """
    claims = Claims()
    valid = {name: tariff for name, tariff in sorted(documents.items()) if tariff is not None}
    known = {name: t for name, t in valid.items() if CopyKey(name, t.tariff_id, t.valid_from) in copies}
    faulty = {key: t for key, t in sorted(copies.items()) if key.name in documents and key.name not in valid}
    for name, tariff in known.items():
        _claim(claims, name, tariff)
    # The latest version first: a document may have had two with one name.
    for key, tariff in reversed(faulty.items()):
        claims.add(key.name, tariff)
    for name, tariff in valid.items():
        if name not in known:
            _claim(claims, name, tariff)
    for key, tariff in sorted(copies.items(), reverse=True):
        current = valid.get(key.name)
        is_orphan = key.name not in documents or (current is not None and current.tariff_id != key.tariff_id)
        is_replaced = (
            current is not None
            and not is_orphan
            and key.name not in claims.refused
            and key.valid_from >= current.valid_from
        )
        if key not in faulty and not is_replaced and claims.add(key.name, tariff) and is_orphan:
            claims.orphans.setdefault(key.tariff_id, set()).add(key.name)
    return claims


def ambiguous(tariffs: Mapping[str, Tariff]) -> Iterator[str]:
    """Yield the faults of versions, by name of their document, that do not differ in name and start of validity."""
    yield from settle_claims(tariffs, {}).refused.values()


def _claim(claims: Claims, name: str, tariff: Tariff) -> None:
    rival = claims.rival(tariff)
    if rival is None:
        claims.add(name, tariff)
    elif rival[1] != tariff:
        claims.refused[name] = _conflict(name, tariff, *rival)


def _conflict(name: str, tariff: Tariff, other: str, found: Tariff) -> str:
    if found.version == tariff.version:
        what = f"version {tariff.version!r}; give this one another name"
    else:
        what = f"version {found.version!r} from {found.valid_from}; give this one another valid_from"
    return f"{name}: {other} already has tariff {plain(tariff.tariff_id)!r} {what}"
