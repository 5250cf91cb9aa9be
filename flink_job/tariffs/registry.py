"""The tariff registry: every version of every tariff, loaded from a folder or an S3 prefix and polled for changes."""

from __future__ import annotations

import dataclasses
import logging
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from flink_job.errors import CodedError
from flink_job.io.locations import Location, open_location
from flink_job.io.polled_registry import PolledRegistry, tenant_of_document
from flink_job.metering.reasons import Unpriced
from flink_job.tariffs.claims import Claims, CopyKey, settle_claims
from flink_job.tariffs.document import parse_tariff
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tariffs.price_book import PriceBook
from flink_job.tenants import is_tenant, plain, qualified, tenant_of

log = logging.getLogger(__name__)
SUFFIX = ".json"
#: A copy of `spring.json` is `spring.json.<tariff_id>.<valid_from>.good`, beside it.
COPY_SUFFIX = ".good"
#: Key of the fault that the location cannot be listed; no document has this name.
LISTING = "*"
PRICES_LISTING = "*.csv"


class UnknownTariffError(CodedError, LookupError):
    """A tariff that is not in the registry (`code` unknown_tariff), or not in force on a day (no_tariff_version)."""


class _Document(NamedTuple):
    """A document as last read: its tariff, or the fault of its content."""

    tag: str
    content: bytes
    tariff: Tariff | None
    fault: str = ""


class TariffRegistry(PolledRegistry):
    """Tariffs by id and version. Ids are qualified by their tenant (see flink_job.tenants), which alone has access.

    What is in force depends only on the documents and on the copies beside them (see `settle_claims`). With
    `keeps_copies`, a copy of each document is written when it comes into force. `faults` has, by name, the documents
    that are not in force, cannot be read or copied, or were deleted although their tariff is used.

    Errors of the location are raised until a first load has succeeded: without tariffs nothing can be priced. Later
    ones are faults, and everything stays in force. `loads` counts the loads. `prices` has the price series.
    """

    def __init__(self, location: Location, refresh_s: float = 300.0, *, keeps_copies: bool = False) -> None:
        super().__init__(refresh_s)
        self.location, self.keeps_copies, self.loads = location, keeps_copies, 0
        self._documents: dict[str, _Document] = {}
        self._copies: dict[str, _Document] = {}
        self._claims = Claims()
        self._in_force: dict[str, list[Tariff]] = {}
        # Versions that were in force are found by name until the process ends: readings in flight refer to them.
        self._versions: dict[str, dict[str, Tariff]] = {}
        self._used: set[str] = set()
        self.prices = PriceBook(location)

    def _load(self) -> None:
        faults: dict[str, str] = {}
        documents = self._read(SUFFIX, self._documents, faults)
        copies = self._read(COPY_SUFFIX, self._copies, faults)
        if (documents, copies) != (self._documents, self._copies) or not self.loads:
            self._documents, self._copies = documents, copies
            self._settle()
        faults |= {name: document.fault for name, document in documents.items() if document.fault}
        faults |= self._claims.refused
        faults |= self._deleted()
        faults |= self._load_prices()
        if self.keeps_copies:
            faults |= self._write_copies()
        self._report(faults)
        self.loads += 1

    def _load_prices(self) -> dict[str, str]:
        """Read changed price series. Returns the faults of those that cannot be read."""
        try:
            self.generation += self.prices.load()
        except OSError as error:
            return {PRICES_LISTING: f"cannot list price series: {error}"}
        return self.prices.faults

    def _read(self, suffix: str, known: dict[str, _Document], faults: dict[str, str]) -> dict[str, _Document]:
        """Return the documents with a suffix, parsing those whose tag has changed.

        After the first load, those that cannot be read are returned as they were, with a fault.
        """
        found: dict[str, _Document] = {}
        try:
            for name, tag in self.location.list(suffix):
                try:
                    found[name] = known[name] if name in known and known[name].tag == tag else self._parsed(name, tag)
                except OSError as error:
                    if not self.loads:
                        raise
                    faults[name] = f"{name}: cannot be read: {error}"
                    found |= {name: known[name]} if name in known else {}
        except OSError as error:
            if not self.loads:
                raise
            faults[LISTING] = f"cannot list tariffs: {error}"
            return known
        return found

    def _parsed(self, name: str, tag: str) -> _Document:
        content = self.location.read(name)
        try:
            return _Document(tag, content, _of_tenant(parse_tariff(content, name), name))
        except ValueError as error:
            return _Document(tag, content, None, str(error))

    def _settle(self) -> None:
        """Put versions in force."""
        copies = {_key(name, d.tariff): d.tariff for name, d in self._copies.items() if d.tariff is not None}
        self._claims = settle_claims({name: d.tariff for name, d in self._documents.items()}, copies)
        in_force: dict[str, list[Tariff]] = {}
        for tariff in self._claims.tariffs():
            in_force.setdefault(tariff.tariff_id, []).append(tariff)
            self._versions.setdefault(tariff.tariff_id, {})[tariff.version] = tariff
        if in_force != self._in_force:
            self._in_force = in_force
            self.generation += 1

    def _write_copies(self) -> dict[str, str]:
        """Write the missing copies of documents in force. Returns the faults of those that cannot be written."""
        faults = {}
        for name, document in self._documents.items():
            tariff = document.tariff
            if tariff is None or self._claims.in_force.get((tariff.tariff_id, tariff.valid_from)) != (name, tariff):
                continue
            copy = _copy_name(name, tariff)
            if copy in self._copies and self._copies[copy].content == document.content:
                continue
            try:
                self.location.write(copy, document.content)
            except OSError as error:
                faults[name] = f"{name}: no copy can be written, so it may be unknown after a restart: {error}"
        return faults

    def _deleted(self) -> dict[str, str]:
        """Return the faults of documents that were deleted although their tariff is used."""
        return {
            name: f"{name}: was deleted or has another tariff; tariff {plain(tariff_id)!r} is used and stays in force"
            for tariff_id, names in self._claims.orphans.items()
            if tariff_id in self._used
            for name in names
        }

    def _report(self, faults: dict[str, str]) -> None:
        for name, fault in faults.items():
            if self.faults.get(name) != fault:
                log.error("tariff document", extra={"fault": fault, "tenant": tenant_of_document(name)})
        self.faults = faults

    def all(self) -> list[Tariff]:
        """Every version in force of every tariff, ordered by id and start of validity."""
        return self._claims.tariffs()

    def digests(self) -> dict[tuple[str, date], str]:
        """Return a hash of the document of every version in force, by tariff and start of validity."""
        documents = [*self._copies.values(), *self._documents.values()]
        found = {(d.tariff.tariff_id, d.tariff.valid_from): d for d in documents if d.tariff is not None}
        return {
            key: sha256(document.content).hexdigest()[:16]
            for key, document in found.items()
            if key in self._claims.in_force
        }

    def version(self, tariff_id: str, version: str) -> Tariff:
        """A version of a tariff that is or was in force. Raises UnknownTariffError."""
        try:
            return self._versions[tariff_id][version]
        except KeyError:
            raise UnknownTariffError(
                Unpriced.UNKNOWN_TARIFF, f"no tariff {plain(tariff_id)!r} version {version!r}"
            ) from None

    def versions(self, tariff_id: str) -> list[Tariff]:
        """All versions of a tariff, ordered by start of validity. Raises UnknownTariffError if there are none."""
        self._used.add(tariff_id)
        if tariff_id not in self._in_force:
            tenant = tenant_of(tariff_id)
            faults = [name for name in self.faults if tenant_of_document(name) == tenant]
            faulty = f"; faulty documents: {', '.join(faults)}" if faults else ""
            raise UnknownTariffError(
                Unpriced.UNKNOWN_TARIFF, f"the tariff registry has no tariff {plain(tariff_id)!r}{faulty}"
            )
        return self._in_force[tariff_id]

    def in_force(self, tariff_id: str, day: date) -> tuple[Tariff, date, date | None]:
        """(tariff, first day, day after the last) of the version in force on a local day; None if it has no end.

        A version is in force until its valid_to or the next version's valid_from. Raises UnknownTariffError.
        """
        versions = self.versions(tariff_id)
        for tariff, following in zip(versions, [*versions[1:], None], strict=True):
            ends = [d for d in (tariff.valid_to, following.valid_from if following else None) if d is not None]
            if tariff.valid_from <= day and (not ends or day < min(ends)):
                return tariff, tariff.valid_from, min(ends, default=None)
        raise UnknownTariffError(
            Unpriced.NO_TARIFF_VERSION, f"no version of tariff {plain(tariff_id)!r} is in force on {day}"
        )


def _of_tenant(tariff: Tariff, name: str) -> Tariff:
    tenant = tenant_of_document(name)
    if not is_tenant(tenant) or name.count("/") > 1:
        raise TariffError(name, ["must be in the registry's folder, or in a subfolder named after a tenant"])
    return dataclasses.replace(tariff, tariff_id=qualified(tenant, tariff.tariff_id))


def _copy_name(name: str, tariff: Tariff) -> str:
    return f"{name}.{plain(tariff.tariff_id)}.{tariff.valid_from}{COPY_SUFFIX}"


def _key(copy: str, tariff: Tariff) -> CopyKey:
    name = copy.removesuffix(f".{plain(tariff.tariff_id)}.{tariff.valid_from}{COPY_SUFFIX}")
    return CopyKey(name, tariff.tariff_id, tariff.valid_from)


def open_registry(uri: str) -> TariffRegistry:
    """The registry at a folder or s3://bucket/prefix, loaded. Raises OSError if it cannot be read."""
    return TariffRegistry(open_location(uri)).reload()
