"""Entities that a meter belongs to: its supply, levels of the site above it, and meters of the site with one tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flink_job.metering.contract import Contract
from flink_job.metering.membership import memberships
from flink_job.metering.site import (
    LEVEL_DEPTHS,
    SITE_SEPARATOR,
    Entity,
    depth_of,
    factory_of,
    meter_of,
    path_prefix,
    supply_of,
    tag_pairs,
)
from flink_job.tenants import DEFAULT, qualified, split


def monitored_entities(per: str, meter: Entity) -> Iterable[Entity]:
    """The entity that a no-data rule per `per` monitors through a meter: the meter, a level, or a value of its tag."""
    if per == "meter":
        yield meter
    elif per.startswith("tag:"):
        name = f"{per.removeprefix('tag:')}="
        yield from (entity for entity in tagged_entities(meter) if entity.tags.startswith(name))
    elif depth_of(meter.site_path) > LEVEL_DEPTHS[per]:
        path = path_prefix(meter.site_path, LEVEL_DEPTHS[per])
        yield Entity(path, path)


def supplies_of(contracts: Iterable[Contract]) -> set[Entity]:
    """The supply points of which meters are mains or parts."""
    return {
        supply_of(qualified(contract.tenant or DEFAULT, member.supply_point), meter_of(contract).site_path)
        for contract in contracts
        for member in memberships(contract)
        if member.role in ("main", "part")
    }


def groups_of(meter: Entity) -> list[Entity]:
    """All entities that a meter belongs to, except itself."""
    depth = depth_of(meter.site_path)
    paths = [path_prefix(meter.site_path, level) for level in LEVEL_DEPTHS.values() if level <= depth]
    return [*(Entity(path, path) for path in paths), *tagged_entities(meter)]


def tagged_entities(meter: Entity) -> Iterator[Entity]:
    """All meters of a site with one value of a tag, for each tag of the meter."""
    site = factory_of(meter.site_path)
    tenant, shown = split(site)
    for name, value in tag_pairs(meter.tags):
        tag = f"{name}={value}"
        yield Entity(qualified(tenant, f"{tag}{SITE_SEPARATOR}{shown}"), site, tag)
