"""Format of the contract snapshot that a job without state loads at its start (flink_job/java: Snapshot).

It has the latest record of each meter and supply point. If other documents belong to a contract, it is there once more
with these attached (see flink_job.metering.groups).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flink_job.metering.contract import Contract
from flink_job.metering.groups import NAME_END, SEPARATOR, links_of
from flink_job.metering.supply_terms import parse_record
from flink_job.tenants import DEFAULT, qualified


class StoredRecord(NamedTuple):
    """A contract, or the terms of a supply point, of a version [epoch ms].

    `key`: name of the meter, qualified by its tenant; empty for the terms of a supply. `position`: sequence number in
    the stream, a decimal number. `name`, `listens`, `provides`: see flink_job.metering.groups.Links.
    """

    tenant: str
    key: str
    document: str
    version_ms: int
    position: str
    name: str
    listens: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, int]:
        """Of two records with one name the one with the greater order is in force."""
        return self.version_ms, int(self.position or 0)


def stored_record(payload: bytes, version_ms: int, position: str, tenant: str = DEFAULT) -> StoredRecord:
    """Return a contract record as one of a snapshot; it arrived at `version_ms` [epoch ms] if it has no version.

    `tenant` is that of a record that names none. Raises ContractError.
    """
    record = parse_record(payload)
    links, of = links_of(record, tenant), record.tenant or tenant
    key = qualified(of, record.meter_id) if isinstance(record, Contract) else ""
    return StoredRecord(of, key, payload.decode(), record.version_ms(version_ms), position, *links)


def latest(records: Iterable[StoredRecord]) -> dict[tuple[str, str], StoredRecord]:
    """Return the records in force, by tenant and name."""
    found: dict[tuple[str, str], StoredRecord] = {}
    for record in records:
        before = found.get((record.tenant, record.name))
        if before is None or before.order <= record.order:
            found[record.tenant, record.name] = record
    return found


def attached(records: dict[tuple[str, str], StoredRecord]) -> Iterator[StoredRecord]:
    """Yield each contract to which documents are attached, with them; its version is the latest among them."""
    providers: dict[tuple[str, str], str] = {}
    for tenant, name in sorted(records, reverse=True):
        for group in records[tenant, name].provides:
            providers[tenant, group] = name
    for (tenant, name), record in records.items():
        found = [(group, providers[tenant, group]) for group in record.listens if (tenant, group) in providers]
        others = [(group, records[tenant, other]) for group, other in found if other != name]
        if record.key and others:
            parts = [
                f"{SEPARATOR}{group}{NAME_END}{'' if number and others[number - 1][1] is other else other.document}"
                for number, (group, other) in enumerate(others)
            ]
            newest = max((record, *(other for _, other in others)), key=lambda each: each.order)
            yield record._replace(
                document=record.document + "".join(parts), version_ms=newest.version_ms, position=newest.position
            )


def snapshot_lines(records: Iterable[StoredRecord]) -> Iterator[bytes]:
    """Yield the lines of a snapshot of records, of which the latest of each name are in force."""
    in_force = latest(records)
    for record in in_force.values():
        yield _line(record, True)
    for record in attached(in_force):
        yield _line(record, False)


def _line(record: StoredRecord, is_member: bool) -> bytes:
    line: dict[str, object] = {
        "key": record.key,
        "value": record.document,
        "version_ms": record.version_ms,
        "position": record.position.lstrip("0"),
    }
    if is_member:
        groups = {"listens": SEPARATOR.join(record.listens), "provides": SEPARATOR.join(record.provides)}
        line["member"] = {"partition": record.tenant, "name": record.name, **groups}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
