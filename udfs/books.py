"""The tariff book and the alert rules of a Python worker, shared by its functions."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from threading import Lock
from urllib.parse import urlparse

import boto3

from flink_job.alerts.rules import Rule, read_rules
from flink_job.config import Tariffs
from flink_job.tariffs.book import TariffBook
from flink_job.tariffs.store import open_store

_books: dict[Tariffs, TariffBook] = {}
_lock = Lock()


def tariff_book(tariffs: Tariffs) -> TariffBook:
    """The book of this process, one for all its threads; it is loaded when first refreshed."""
    with _lock:
        if tariffs not in _books:
            store = open_store(tariffs.uri, tariffs.region, tariffs.endpoint)
            _books[tariffs] = TariffBook(store, tariffs.refresh_s)
        return _books[tariffs]


def refreshed(book: TariffBook) -> TariffBook:
    """The book, with what has changed since."""
    book.refresh(time.monotonic())
    return book


@cache
def alert_rules(tariffs: Tariffs) -> tuple[Rule, ...]:
    """The rules at `rules_uri`; none where it is empty."""
    if not tariffs.rules_uri:
        return ()
    parsed = urlparse(tariffs.rules_uri)
    if parsed.scheme == "s3":
        client = boto3.client("s3", region_name=tariffs.region, endpoint_url=tariffs.endpoint or None)
        body = client.get_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"))["Body"].read()
    else:
        body = Path(parsed.path if parsed.scheme == "file" else tariffs.rules_uri).read_bytes()
    return read_rules(body, tariffs.rules_uri)
