"""Site paths (factory/process/line/sensor) and the entities on a site that readings and alerts refer to."""

from __future__ import annotations

from typing import NamedTuple

from flink_job.metering.contract import Contract, Outline
from flink_job.tenants import DEFAULT, plain, qualified

#: Number of leading parts of a site path that name each level.
LEVEL_DEPTHS = {"factory": 1, "process": 2, "line": 3}
#: Separates a tag from its site in the name of an entity.
SITE_SEPARATOR = "\x1d"


class Entity(NamedTuple):
    """The subject of an alert: a meter, a supply point, a level of the site, or all its meters with one value of a tag.

    `tags` are the tags of the contract as `name=value`, joined by `;`. Name and path are qualified by the tenant; the
    name of a tag ends with its site, because two sites may use the same tag.
    """

    name: str
    site_path: str
    tags: str = ""

    @property
    def shown(self) -> str:
        """The name without tenant and site, for display."""
        return plain(self.name).partition(SITE_SEPARATOR)[0]


def meter_of(contract: Contract | Outline, otherwise: str = DEFAULT) -> Entity:
    """Return the meter of a contract as an entity; `otherwise` is the tenant of a contract without one."""
    tenant = contract.tenant or otherwise
    return Entity(qualified(tenant, contract.meter_id), qualified(tenant, contract.site_path), _tags(contract.tags))


def meter_at(place: Contract) -> Entity:
    """Return the meter of a contract that is qualified by its tenant (see flink_job.metering.changes.Places)."""
    return Entity(place.meter_id, place.site_path, _tags(place.tags))


def _tags(tags: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in sorted(tags.items())) if tags else ""


def tag_pairs(tags: str) -> list[tuple[str, str]]:
    """Return (name, value) of the tags of an entity."""
    return [(name, value) for name, _, value in (tag.partition("=") for tag in tags.split(";") if tag)]


def supply_of(name: str, site_path: str) -> Entity:
    """Return a supply point as an entity, with the factory of one of its meters as its place.

    Its name ends with the separator: a meter may have the same name.
    """
    return Entity(f"{name}{SITE_SEPARATOR}", factory_of(site_path))


def depth_of(site_path: str) -> int:
    """Return the number of parts of a site path."""
    return site_path.count("/") + 1


def path_prefix(site_path: str, depth: int) -> str:
    """Return the first `depth` parts of a site path, or all if it has fewer."""
    return "/".join(site_path.split("/")[:depth])


def factory_of(site_path: str) -> str:
    """Return the factory of a site path, also called its site."""
    return path_prefix(site_path, LEVEL_DEPTHS["factory"])
