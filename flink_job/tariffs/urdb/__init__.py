"""OpenEI Utility Rate Database (URDB), version 8 of its JSON, into our tariff document.

What a URDB document says and ours cannot is refused by name. Prices are rounded to 9 decimals. A document has no time
zone and no currency; both are given. Fields: https://openei.org/services/doc/rest/util_rates/?version=8
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_job.tariffs.model import TariffError
from flink_job.tariffs.urdb.convert import converted
from flink_job.tariffs.urdb.problems import problems


def is_urdb(document: object) -> bool:
    """True for a URDB record, or a response that holds one in `items`."""
    return isinstance(document, dict) and (
        "items" in document or any(key in document for key in ("energyratestructure", "flatdemandstructure", "eiaid"))
    )


def from_urdb(document: Mapping[str, Any], timezone: str, currency: str, name: str = "URDB") -> dict[str, Any]:
    """Our tariff document. Raises TariffError that names every field which cannot be represented."""
    if "items" in document:
        items = document["items"]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise TariffError(name, ["items: not a list of records"])
        if len(items) != 1:
            raise TariffError(name, [f"items: {len(items)} records; give one"])
        document = items[0]
    document = {key.lower(): value for key, value in document.items()}
    try:
        if found := list(problems(document)):
            raise TariffError(name, found)
        return converted(document, timezone, currency)
    except TariffError:
        raise
    except Exception as error:  # documents are made by hand: anything may stand anywhere
        raise TariffError(name, [f"this is no URDB record of version 8: {error!r}"]) from None
