"""Loads tariff documents or URDB records, price series and contracted power for the commands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from flink_job.io.records import InputError, open_input
from flink_job.metering.bounds import MAX_DETAIL, MAX_DOCUMENT_BYTES
from flink_job.tariffs.claims import ambiguous
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.series import read_series
from flink_job.tariffs.urdb import from_urdb, is_urdb

_ALWAYS = date(1900, 1, 1)


@dataclass(frozen=True)
class Document:
    """A tariff and its document. `is_urdb` marks a converted URDB record, whose billing cycles are calendar months."""

    tariff: Tariff
    content: Mapping[str, Any]
    is_urdb: bool


def load_document(
    name: str, timezone: str, currency: str, without: Sequence[str] = (), no_export: bool = False
) -> Document:
    """Load the tariff in a JSON file. Raises TariffError or InputError; the message names the file.

    `without`, `no_export`: what a URDB record is imported without, see `from_urdb`.
    """
    try:
        with open_input(name) as stream:
            text = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(text) > MAX_DOCUMENT_BYTES:
            raise TariffError(name, [f"a tariff document may have at most {MAX_DOCUMENT_BYTES} bytes"])
        content = json.loads(text, parse_float=Decimal)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except TariffError:
        raise
    except (ValueError, RecursionError) as error:
        raise TariffError(name, [f"not JSON: {error}"[:MAX_DETAIL]]) from None
    short = Path(name).name
    if not isinstance(content, dict):
        raise TariffError(short, ["a tariff document must be a JSON object"])
    if not is_urdb(content):
        return Document(read_tariff(content, short), content, False)
    ours = from_urdb(content, timezone, currency, short, without, no_export)
    return Document(read_tariff(ours, short), ours, True)


def load_versions(
    names: Sequence[str], timezone: str, currency: str, any_date: bool = False
) -> tuple[list[Tariff], bool]:
    """Return (versions of one tariff, whether they are URDB records). Raises TariffError or InputError.

    The dates of a URDB record are those of its publication, so a single record applies to readings of any date; with
    `any_date`, so does the newest version of any tariff.
    """
    documents = [load_document(name, timezone, currency) for name in names]
    if len({document.tariff.tariff_id for document in documents}) > 1:
        ids = ", ".join(sorted({document.tariff.tariff_id for document in documents}))
        raise InputError(
            f"--tariff: all documents must be versions of one tariff, found {ids}; use `compare` for several"
        )
    if faults := list(ambiguous({name: each.tariff for name, each in zip(names, documents, strict=True)})):
        raise InputError("\n".join(faults))
    if any_date or (len(documents) == 1 and documents[0].is_urdb):
        newest = max(documents, key=lambda document: document.tariff.valid_from)
        return [replace(newest.tariff, valid_from=_ALWAYS, valid_to=None)], newest.is_urdb
    return [document.tariff for document in documents], any(document.is_urdb for document in documents)


def load_series(pairs: Sequence[str], timezone: str | None) -> dict[str, PriceSeries]:
    """Load price series from NAME=FILE; files with the same name are concatenated. Raises InputError or PriceError.

    `timezone`: of times without an offset, which are errors without it.
    """
    files: dict[str, list[str]] = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not separator:
            raise InputError(f"--prices {pair}: give NAME=FILE, with NAME from energy/dynamic/series of the tariff")
        files.setdefault(name, []).append(path)
    return {name: read_series(name, paths, timezone) for name, paths in files.items()}


def contracted(text: str) -> dict[str, int]:
    """Parse contracted power by period [1e-6 kW] from P1=50,P2=60. Raises InputError."""
    try:
        pairs = [pair.split("=") for pair in text.split(",") if pair]
        return {period.strip(): int(Decimal(kw) * 1_000_000) for period, kw in pairs}
    except (ValueError, ArithmeticError):
        raise InputError(f"--contracted-kw {text}: give PERIOD=KW,PERIOD=KW") from None
