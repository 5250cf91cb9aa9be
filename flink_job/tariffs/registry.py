"""The tariff registry: every version of every tariff, loaded from a folder or an S3 prefix and polled for changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date

from flink_job.errors import CodedError
from flink_job.io.locations import Location, open_location
from flink_job.io.polled_registry import PolledRegistry, tenant_of_document
from flink_job.metering.reasons import Unpriced
from flink_job.tariffs.document import parse_tariff
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tenants import is_tenant, plain, qualified, tenant_of

SUFFIX = ".json"


class UnknownTariffError(CodedError, LookupError):
    """A tariff that is not in the registry (`code` unknown_tariff), or not in force on a day (no_tariff_version)."""


class TariffRegistry(PolledRegistry):
    """Tariffs by id and version. Ids are qualified by their tenant (see flink_job.tenants), which alone has access.

    Errors of the location are raised by `refresh`: without tariffs nothing can be priced.
    """

    def __init__(self, location: Location, refresh_s: float = 300.0) -> None:
        super().__init__(refresh_s)
        self.location = location
        self._versions: dict[str, dict[str, Tariff]] = {}

    def _changed(self) -> Iterator[tuple[str, str, bytes]]:
        for name, tag in self.location.list(SUFFIX):
            if self._tags.get(name) != tag:
                yield name, tag, self.location.read(name)

    def _accept(self, name: str, content: bytes) -> None:
        tariff = _of_tenant(parse_tariff(content, name), name)
        self._versions.setdefault(tariff.tariff_id, {})[tariff.version] = tariff

    def all(self) -> list[Tariff]:
        """Every version of every tariff, ordered by id and start of validity."""
        found = [tariff for versions in self._versions.values() for tariff in versions.values()]
        return sorted(found, key=lambda t: (t.tariff_id, t.valid_from))

    def version(self, tariff_id: str, version: str) -> Tariff:
        """A version of a tariff. Raises UnknownTariffError."""
        try:
            return self._versions[tariff_id][version]
        except KeyError:
            raise UnknownTariffError(
                Unpriced.UNKNOWN_TARIFF, f"no tariff {plain(tariff_id)!r} version {version!r}"
            ) from None

    def versions(self, tariff_id: str) -> list[Tariff]:
        """All versions of a tariff, ordered by start of validity. Raises UnknownTariffError if there are none."""
        if tariff_id not in self._versions:
            tenant = tenant_of(tariff_id)
            faults = [name for name in self.faults if tenant_of_document(name) == tenant]
            faulty = f"; faulty documents: {', '.join(faults)}" if faults else ""
            raise UnknownTariffError(
                Unpriced.UNKNOWN_TARIFF, f"the tariff registry has no tariff {plain(tariff_id)!r}{faulty}"
            )
        return sorted(self._versions[tariff_id].values(), key=lambda t: t.valid_from)

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


def open_registry(uri: str) -> TariffRegistry:
    """The registry at a folder or s3://bucket/prefix, loaded. Raises OSError if it cannot be read."""
    return TariffRegistry(open_location(uri)).reload()
