"""Converts records of the OpenEI Utility Rate Database (URDB, JSON version 8) to tariff documents.

A field that tariff documents cannot represent is an error with its name. Prices are rounded to 9 decimals. URDB has no
time zone and no currency; both are parameters. Fields: https://openei.org/services/doc/rest/util_rates/?version=8
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_job.tariffs.model import TariffError
from flink_job.tariffs.urdb.convert import converted
from flink_job.tariffs.urdb.problems import problems


def is_urdb(document: object) -> bool:
    """Return True for a URDB record, or for a response with `items`."""
    return isinstance(document, dict) and (
        "items" in document or any(key in document for key in ("energyratestructure", "flatdemandstructure", "eiaid"))
    )


def from_urdb(document: Mapping[str, Any], timezone: str, currency: str, name: str = "URDB") -> dict[str, Any]:
    """Convert a URDB record to a tariff document. Raises TariffError with every field that cannot be represented."""
    if "items" in document:
        items = document["items"]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise TariffError(name, ["items: must be a list of records"])
        if len(items) != 1:
            raise TariffError(name, [f"items: {len(items)} records; it must have exactly one"])
        document = items[0]
    document = {key.lower(): value for key, value in document.items()}
    try:
        if found := list(problems(document)):
            raise TariffError(name, found)
        return converted(document, timezone, currency)
    except TariffError:
        raise
    except Exception as error:  # records are written by hand: any value may occur in any field
        raise TariffError(name, [f"not a URDB record of version 8: {error!r}"]) from None
