"""Reads price series: plain CSV, Octopus Agile rates, and PVPC of the Spanish system operator."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from flink_job.metering.bounds import CONTRACT_YEARS, MAX_DETAIL
from flink_job.tariffs.exact import PRICE_SCALE
from flink_job.tariffs.prices import PriceError, PriceSeries
from flink_job.tariffs.series_times import local_instants, until_hole

HOUR = timedelta(hours=1)
_HOUR_MS = 3_600_000
#: PVPC is published in EUR/MWh, by local time of this zone.
PVPC_ZONE = "Europe/Madrid"
_PER_MWH = Decimal(1000)
_PENCE = Decimal(100)
#: Limits of a series: twenty years of quarter hours are about 40 MB; prices are integers of 1e-9 currency.
MAX_SERIES_BYTES, MAX_PRICE = 64 << 20, 1_000_000

Slot = tuple[datetime, datetime | None, Decimal]
"""(start, end or None for the start of the next slot, price in currency per kWh)."""


def read_series(name: str, paths: Sequence[str], timezone: str | None) -> PriceSeries:
    """Read a series from files; the format is detected by content. Raises PriceError.

    CSV: columns `from` (or `ts`) and `price`, and `until` if prices have gaps; currency per kWh. Octopus: response of
    standard-unit-rates. PVPC: archive 70 of ESIOS, or the values of an indicator. Times without an offset are local
    times of `timezone`; without a time zone they are errors.
    """
    slots: list[Slot] = []
    for path in paths:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise PriceError(f"price series {name}: {path}: {error.strerror}") from None
        try:
            slots += slots_in(content, timezone)
        except PriceError as error:
            raise PriceError(f"price series {name}: {path}: {error}") from None
    return series_of(name, slots)


def slots_in(content: bytes, timezone: str | None) -> list[Slot]:
    """Parse the prices in a file. Raises PriceError for any invalid bytes."""
    if len(content) > MAX_SERIES_BYTES:
        raise PriceError(f"{len(content)} bytes; a price series may have at most {MAX_SERIES_BYTES}")
    try:
        text = content.decode("utf-8-sig")
        slots = _json_slots(json.loads(text)) if text.lstrip()[:1] in "{[" else _csv_slots(text, timezone)
    except PriceError:
        raise
    except Exception as error:
        raise PriceError(f"{error!r}"[:MAX_DETAIL]) from None
    for begin, end, price in slots:
        if not (price.is_finite() and price.copy_abs() <= MAX_PRICE):
            raise PriceError(f"the price from {begin} is {price:.6g}; it must be within +-{MAX_PRICE} per kWh")
        if begin.tzinfo is None or (end is not None and end.tzinfo is None):
            raise PriceError(f"the time {begin} has no UTC offset")
        if begin.year not in CONTRACT_YEARS or (end is not None and end.year not in CONTRACT_YEARS):
            raise PriceError(f"the time {begin} is outside {CONTRACT_YEARS.start}..{CONTRACT_YEARS.stop - 1}")
    return slots


def series_of(name: str, slots: Iterable[Slot]) -> PriceSeries:
    """Build a series from slots in any order. Raises PriceError.

    A slot without end lasts until the next one, and the last slot as long as the previous. If the slots around it have
    one length, it is no longer than they are: the rest is a hole, which no price covers.
    """
    ordered = sorted({(begin, price): (begin, end, price) for begin, end, price in slots}.values(), key=lambda s: s[0])
    if not ordered:
        raise PriceError(f"price series {name} is empty")
    starts = [_ms(begin) for begin, _, _ in ordered]
    if len(set(starts)) < len(starts):
        twice = next(s for s, following in itertools.pairwise(starts) if s == following)
        raise PriceError(f"price series {name}: two prices from {datetime.fromtimestamp(twice / 1000, UTC)}")
    following = until_hole(np.array(starts, dtype=np.int64))
    last = following[-1] - starts[-2] if following else _HOUR_MS
    ends = [
        min(_ms(end), start) if end else after
        for (_, end, _), start, after in zip(ordered, starts[1:], following, strict=False)
    ]
    ends.append(_ms(ordered[-1][1]) if ordered[-1][1] is not None else starts[-1] + last)
    prices = [int((price * PRICE_SCALE).to_integral_value()) for _, _, price in ordered]
    return PriceSeries(name, np.array(starts), np.array(ends), np.array(prices, dtype=np.int64))


def _csv_slots(text: str, timezone: str | None) -> list[Slot]:
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or ()
    begin = next((c for c in ("from", "ts", "valid_from") if c in columns), None)
    if begin is None or "price" not in columns:
        raise ValueError(f"the header is {','.join(columns)}; columns from and price are required")
    found = list(rows)
    begins = local_instants([row[begin] for row in found], timezone)
    untils = [row.get("until") or row.get("valid_to") for row in found]
    ends = iter(local_instants([until for until in untils if until], timezone))
    prices = [Decimal(row["price"]) for row in found]
    return [(at, next(ends) if until else None, price) for at, until, price in zip(begins, untils, prices, strict=True)]


def _json_slots(document: Any) -> list[Slot]:
    if isinstance(document, list):
        return [slot for part in document for slot in _json_slots(part)]
    if "results" in document:
        return _octopus(document["results"])
    if "PVPC" in document:
        return _pvpc_archive(document["PVPC"])
    if "indicator" in document:
        return _esios_indicator(document["indicator"]["values"])
    raise ValueError("unknown format: expected results (Octopus), PVPC (ESIOS archive 70) or indicator (ESIOS)")


def _octopus(results: Iterable[Mapping[str, Any]]) -> list[Slot]:
    """Return Octopus prices, in pence per kWh without VAT (which the tariff adds), those for direct debit."""
    return [
        (
            datetime.fromisoformat(r["valid_from"]),
            datetime.fromisoformat(r["valid_to"]) if r.get("valid_to") else None,
            Decimal(str(r["value_exc_vat"])) / _PENCE,
        )
        for r in results
        if r.get("payment_method") in (None, "DIRECT_DEBIT")
    ]


def _pvpc_archive(hours: Iterable[Mapping[str, str]]) -> list[Slot]:
    """Return PVPC prices: EUR/MWh with a decimal comma, column PCB, one per hour of the day (23 to 25)."""
    days: dict[str, list[Decimal]] = {}
    for hour in hours:
        days.setdefault(hour["Dia"], []).append(Decimal(hour["PCB"].replace(".", "").replace(",", ".")) / _PER_MWH)
    slots: list[Slot] = []
    for day, prices in days.items():
        midnight = datetime.strptime(day, "%d/%m/%Y").replace(tzinfo=ZoneInfo(PVPC_ZONE)).astimezone(UTC)
        slots += [(midnight + n * HOUR, midnight + (n + 1) * HOUR, price) for n, price in enumerate(prices)]
    return slots


def _esios_indicator(values: Iterable[Mapping[str, Any]]) -> list[Slot]:
    """Return ESIOS prices: EUR/MWh by UTC instant; for the peninsula (geo_id 8741) if there are several areas."""
    return [
        (datetime.fromisoformat(v["datetime_utc"]), None, Decimal(str(v["value"])) / _PER_MWH)
        for v in values
        if v.get("geo_id") in (None, 8741, 3)
    ]


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
