"""The tree of a supply point's meters: which submeter measures which others too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from flink_job.metering.membership import ALWAYS_MS, Membership
from flink_job.supplies.membership import Supply, SupplyError, SupplyFault, boundaries
from flink_job.tenants import plain

#: Index of the supply itself as the parent of its direct submeters.
TOP = -1


@dataclass(frozen=True)
class Tree:
    """The meters of a supply from one instant until another [epoch ms].

    `sources`: the mains or parts, whose energy is that of the supply. `nodes`: meters to which it is shared, each after
    the one upstream of it: submeters (and parts), or the mains if there are no submeters. `parents`: index of the node
    upstream of each, or TOP.
    """

    from_ms: int
    until_ms: int
    sources: tuple[str, ...]
    nodes: tuple[str, ...]
    parents: tuple[int, ...]

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """Indices of the nodes directly behind each node that has some, and behind TOP, in order."""
        found: dict[int, list[int]] = {TOP: []}
        for node, parent in enumerate(self.parents):
            found.setdefault(parent, []).append(node)
        return found


def trees(supply: Supply) -> list[Tree]:
    """Return the trees of a supply in order of time, without gaps. Raises SupplyError."""
    found = []
    for since, until in boundaries(supply.members):
        present = [m for m in supply.members if m.from_ms <= since and until <= m.until_ms]
        found.append(_tree(supply.supply_point, present, since, until))
    first, last = found[0], found[-1]
    before = Tree(ALWAYS_MS[0], first.from_ms, (), (), ()) if first.from_ms > ALWAYS_MS[0] else None
    after = Tree(last.until_ms, ALWAYS_MS[1], (), (), ()) if last.until_ms < ALWAYS_MS[1] else None
    return [tree for tree in (before, *found, after) if tree is not None]


def _tree(supply_point: str, members: Sequence[Membership], from_ms: int, until_ms: int) -> Tree:
    mains, parts, subs = ([m for m in members if m.role == role] for role in ("main", "part", "sub"))
    if mains and parts:
        raise SupplyError(
            SupplyFault.MAIN_AND_PART,
            supply_point,
            f"{plain(parts[0].meter_id)} is a part beside main {plain(mains[0].meter_id)}: a supply with a main has "
            "submeters (role sub)",
            (parts[0].meter_id, mains[0].meter_id),
        )
    sources = tuple(sorted(m.meter_id for m in mains or parts))
    tops = {m.meter_id: "" for m in (parts or ([] if subs else mains))}
    upstream = {m.meter_id: _upstream(supply_point, m, sources, bool(parts), subs) for m in subs}
    nodes = tuple(_in_order(supply_point, tops | upstream))
    index = {node: number for number, node in enumerate(nodes)}
    parents = tuple(index.get((tops | upstream)[node], TOP) for node in nodes)
    return Tree(from_ms, until_ms, sources, nodes, parents)


def _upstream(
    supply_point: str, sub: Membership, sources: Sequence[str], has_parts: bool, subs: Sequence[Membership]
) -> str:
    """Return the node upstream of a submeter; empty for the mains."""
    known = {m.meter_id for m in subs} | set(sources)
    if sub.upstream and sub.upstream not in known:
        detail = (
            f"upstream of {plain(sub.meter_id)} is {plain(sub.upstream)}, which is not in this supply point at that "
            f"time: give {plain(sub.upstream)} the same supply point, or name another meter upstream"
        )
        raise SupplyError(SupplyFault.UNKNOWN_UPSTREAM, supply_point, detail, [sub.meter_id])
    if has_parts and not sub.upstream:
        detail = (
            f"{plain(sub.meter_id)} has no upstream, and the supply point has parts: name the part that measures it"
        )
        raise SupplyError(SupplyFault.UNKNOWN_UPSTREAM, supply_point, detail, [sub.meter_id])
    return sub.upstream if has_parts or sub.upstream not in sources else ""


def _in_order(supply_point: str, upstream: dict[str, str]) -> Iterator[str]:
    """Yield meters by level of the tree, then by name. Raises SupplyError if the upstream meters form a cycle."""
    level, left = {""}, dict(upstream)
    while left:
        present = sorted(meter for meter, above in left.items() if above in level)
        if not present:
            cycle = _cycle(left)
            detail = f"{' -> '.join(map(plain, cycle))}: each is upstream of the one before; change one `upstream`"
            raise SupplyError(SupplyFault.UPSTREAM_CYCLE, supply_point, detail, cycle[:-1])
        yield from present
        level = set(present)
        for meter in present:
            del left[meter]


def _cycle(upstream: dict[str, str]) -> list[str]:
    """Return the meters of a cycle, the first one repeated at the end."""
    path = [min(upstream)]
    while path.count(path[-1]) == 1:
        path.append(upstream[path[-1]])
    return path[path.index(path[-1]) :]
