"""The record of the last settlement of news: what it had read of the lake, the tariffs and the prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import msgspec
import numpy as np

from flink_job.billing.agreements import Book
from flink_job.billing.news_files import LakeFile
from flink_job.errors import MeteringError
from flink_job.io.locations import Location, open_location
from flink_job.tariffs.prices import PriceSeries
from flink_job.tenants import DEFAULT, qualified

#: Name beside the rows of table `settlements`; Athena leaves out names with an underscore.
NAME = "_news.json"
#: S3 dates an object by the beginning of its upload: files of this time before a run may have appeared during it.
MARGIN = timedelta(hours=1)
Span = tuple[date, date]


class NewsStateError(MeteringError, ValueError):
    """The record of the last settlement of news cannot be read."""


class Seen(msgspec.Struct, frozen=True):
    """Contents of the lake, tariffs and prices that a settlement of news had read.

    began: when it began to list the lake, UTC. files: names of the files written within MARGIN before. tariffs: hash of
    each version by `<tariff>|<valid_from>`. prices: hash by `<series>|<month>`. left: spans of days [first, after) of
    supplies that could not be settled, by supply point. All names are qualified by their tenant.
    """

    began: datetime
    files: frozenset[str] = frozenset()
    tariffs: dict[str, str] = {}
    prices: dict[str, str] = {}
    left: dict[str, tuple[Span, ...]] = {}

    def is_new(self, file: LakeFile) -> bool:
        """Return whether a file was written after what this settlement had read."""
        return file.written >= self.began - MARGIN and file.name not in self.files


def seen_now(now: datetime, files: Iterable[LakeFile], book: Book) -> Seen:
    """Return the record of a settlement that begins now (UTC-aware); it has left nothing."""
    return Seen(
        now.astimezone(UTC),
        frozenset(file.name for file in files if file.written >= now - MARGIN),
        {f"{tariff}|{since}": digest for (tariff, since), digest in book.registry.digests().items()},
        _price_digests(book),
    )


def read_seen(lake: str) -> Seen | None:
    """Return the record in a lake; None if news have never been settled. Raises NewsStateError."""
    location = _location(lake)
    try:
        if NAME not in {name for name, _ in location.list(NAME)}:
            return None
        return msgspec.json.decode(location.read(NAME), type=Seen)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        place = location.describe(NAME)
        raise NewsStateError(f"{place}: {error}. Remove it to settle the whole lake once") from None


def write_seen(lake: str, seen: Seen) -> None:
    """Write the record to a lake."""
    _location(lake).write(NAME, msgspec.json.encode(seen))


def _location(lake: str) -> Location:
    return open_location(f"{lake.rstrip('/')}/settlements")


def _price_digests(book: Book) -> dict[str, str]:
    """Return a hash of the prices of each month (UTC) of each series, by its qualified name."""
    series = {qualified(tenant, name): one for (tenant, name), one in book.registry.prices.all().items()}
    series |= {qualified(DEFAULT, name): one for name, one in book.series.items()}
    return {f"{name}|{month}": digest for name, one in series.items() for month, digest in _by_month(one).items()}


def _by_month(series: PriceSeries) -> Mapping[str, str]:
    months = series.start_ms.astype("datetime64[ms]").astype("datetime64[M]")
    values = np.stack([series.start_ms, series.end_ms, series.price_e9], axis=1)
    return {str(month): sha256(values[months == month].tobytes()).hexdigest()[:16] for month in np.unique(months)}
