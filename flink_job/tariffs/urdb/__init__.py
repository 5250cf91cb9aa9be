"""Converts records of the OpenEI Utility Rate Database (URDB, JSON version 8) to tariff documents.

A field that tariff documents cannot represent is an error with its name. Prices are rounded to 9 decimals. URDB has no
time zone and no currency; both are parameters. Fields: https://openei.org/services/doc/rest/util_rates/?version=8
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flink_job.tariffs.model import TariffError
from flink_job.tariffs.urdb.convert import converted
from flink_job.tariffs.urdb.problems import problems

#: Fields that have no meaning without another one.
_PARTS = {
    "energyratestructure": ("energyweekdayschedule", "energyweekendschedule"),
    "demandratestructure": ("demandweekdayschedule", "demandweekendschedule"),
    "flatdemandstructure": ("flatdemandmonths",),
}


def is_urdb(document: object) -> bool:
    """Return True for a URDB record, or for a response with `items`."""
    return isinstance(document, dict) and (
        "items" in document or any(key in document for key in ("energyratestructure", "flatdemandstructure", "eiaid"))
    )


def from_urdb(
    document: Mapping[str, Any],
    timezone: str,
    currency: str,
    name: str = "URDB",
    without: Sequence[str] = (),
    no_export: bool = False,
) -> dict[str, Any]:
    """Convert a URDB record to a tariff document. Raises TariffError with every field that cannot be represented.

    `without`: fields that are left out, with the fields that belong to them. `no_export`: exported energy is credited
    nothing. `name`: name of the file, which identifies a record that has neither label nor name.
    """
    record = _left_out(_record(document, name), name, without, no_export)
    changed = [*(f"without {field}" for field in without), *(["no export"] if no_export else [])]
    note = f" ({', '.join(changed)})" if changed else ""
    try:
        if found := list(problems(record)):
            raise TariffError(name, found)
        return converted(record, timezone, currency, name.removesuffix(".json"), note)
    except TariffError:
        raise
    except Exception as error:  # records are written by hand: any value may occur in any field
        raise TariffError(name, [f"not a URDB record of version 8: {error!r}"]) from None


def _record(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the only record of a response, or the record itself, with its fields in lower case."""
    if "items" in document:
        items = document["items"]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise TariffError(name, ["items: must be a list of records"])
        if len(items) != 1:
            raise TariffError(name, [f"items: {len(items)} records; it must have exactly one"])
        document = items[0]
    return {key.lower(): value for key, value in document.items()}


def _left_out(record: Mapping[str, Any], name: str, without: Sequence[str], no_export: bool) -> dict[str, Any]:
    """Return the record without some fields, and without the rules and prices of exported energy."""
    fields = {field.lower() for field in without}
    if unknown := sorted(fields - set(record)):
        raise TariffError(name, [f"--without {field}: the record has no such field" for field in unknown])
    fields |= {part for field in fields for part in _PARTS.get(field, ())}
    kept = {field: value for field, value in record.items() if field not in fields}
    if no_export:
        kept.pop("dgrules", None)
        if isinstance(structure := kept.get("energyratestructure"), list):
            kept["energyratestructure"] = [
                [{key: value for key, value in tier.items() if key != "sell"} for tier in tiers] for tiers in structure
            ]
    return kept
