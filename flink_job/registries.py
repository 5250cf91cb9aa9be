"""The tariff book and the rule book of a Python worker, shared by its functions."""

from __future__ import annotations

import time
from threading import Lock

from flink_job.alerts.book import RuleBook, open_rule_book
from flink_job.config import Tariffs
from flink_job.tariffs.book import TariffBook
from flink_job.tariffs.store import open_store

_books: dict[Tariffs, TariffBook] = {}
_rule_books: dict[tuple[Tariffs, int], RuleBook] = {}
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


def rule_book(tariffs: Tariffs, silence_s: int) -> RuleBook:
    """The alert rules of this process, one book for all its threads."""
    with _lock:
        key = tariffs, silence_s
        if key not in _rule_books:
            _rule_books[key] = open_rule_book(
                tariffs.rules_uri, tariffs.region, tariffs.endpoint, tariffs.rules_refresh_s, silence_s
            )
        return _rule_books[key]


def refreshed_rules(book: RuleBook) -> RuleBook:
    """The book, with what has changed since."""
    book.refresh(time.monotonic())
    return book
