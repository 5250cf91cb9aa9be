"""Windows of a lake: the partitions to read for the billing cycles with news, and the cycles to settle in each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flink_job.billing.agreements import Book, agreement_of
from flink_job.billing.news import News
from flink_job.billing.news_state import Span
from flink_job.billing.rerate import Wanted, selected
from flink_job.lake.selection import Selection
from flink_job.metering.contract import Contract
from flink_job.metering.membership import memberships
from flink_job.tariffs.cycle import CycleError
from flink_job.tariffs.history import BillingTerms
from flink_job.tariffs.registry import UnknownTariffError

_DAY = timedelta(days=1)
EVER = (date.min, date.max)


@dataclass(frozen=True)
class Window:
    """A part of the lake to read, and the billing cycles to settle by it; `is_all`: the lake and all cycles."""

    selection: Selection
    wanted: Wanted
    is_all: bool = False


def windows(book: Book, news: News) -> list[Window]:
    """Return the windows of news in order of time; they do not overlap.

    A window has whole billing cycles. If a tariff depends on other cycles, as by a ratchet, the whole lake is read, and
    the cycles after the one with news are settled too.
    """
    until_ms = round(datetime.combine(news.extent[1] - _DAY, datetime.min.time(), UTC).timestamp() * 1000)
    if news.is_all:
        members = (member for contract in book.contracts.values() for member in memberships(contract))
        names = {*book.contracts, *book.terms, *(member.supply_point for member in members)}
        return [Window(selected(), Wanted({name: [EVER] for name in names}, until_ms), is_all=True)]
    parts = sorted(_parts(book, news), key=lambda part: part.read)
    found: list[tuple[Span, dict[str, list[Span]]]] = []
    for part in parts:
        if found and part.read[0] <= found[-1][0][1]:
            (first, after), spans = found.pop()
            found.append(((first, max(after, part.read[1])), spans))
        else:
            found.append((part.read, {}))
        found[-1][1].setdefault(part.supply_point, []).append(part.span)
    return [Window(_selection(read, news.extent), Wanted(spans, until_ms)) for read, spans in found]


@dataclass(frozen=True)
class _Part:
    """Days [first, after) of a supply with news, as whole cycles, and the days to read for them."""

    supply_point: str
    span: Span
    read: Span


def _parts(book: Book, news: News) -> Iterator[_Part]:
    for supply_point, spans in news.spans.items():
        supply = news.supplies.get(supply_point)
        contract = supply.contract if supply is not None else book.contracts.get(supply_point)
        for first, after in spans:
            first, after = max(first, news.extent[0] - _DAY), min(after, news.extent[1] + _DAY)
            if first >= after:
                continue
            if contract is None:  # reported when the window is read
                yield _Part(supply_point, (first, after), (first, after))
                continue
            whole = _cycles(agreement_of(contract, book.registry, book.series).terms, first, after)
            if _depends_on_others(contract, book):
                whole = whole[0], max(whole[1], news.extent[1] + _DAY)
                yield _Part(supply_point, whole, EVER)
            else:
                yield _Part(supply_point, whole, whole)


def _cycles(terms: BillingTerms, first: date, after: date) -> Span:
    """Return the days [first, after) with the rest of the billing cycles that they are in."""
    try:
        return min(first, terms.cycle_at(first)[0]), max(after, terms.cycle_at(after - _DAY)[1])
    except CycleError:  # dates on which cycles begin are listed, and not for these days
        return first, after


def _depends_on_others(contract: Contract, book: Book) -> bool:
    """Return whether a tariff of a contract has rules by which a bill depends on other cycles."""
    for assigned in contract.assignments:
        try:
            if any(list(tariff.left_to_settlement()) for tariff in book.registry.versions(assigned.tariff_id)):
                return True
        except UnknownTariffError:  # reported when the supply is rated
            continue
    return False


def _selection(read: Span, extent: Span) -> Selection:
    """Return the partitions of days [first, after), and those in which local days of these may begin and end."""
    first, after = read
    inputs = selected()
    return Selection(
        inputs.tables,
        None if first <= extent[0] - _DAY else first - _DAY,
        None if after >= extent[1] + _DAY else after,
    )


def left_of(window: Window, problems: Iterable[str]) -> dict[str, tuple[Span, ...]]:
    """Return the spans of the supplies and meters that could not be settled."""
    spans = window.wanted.spans
    return {name: tuple(_merged(spans.get(name, [EVER]))) for name in problems if window.is_all or name in spans}


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    """Yield spans in order, those that touch as one."""
    current: Span | None = None
    for first, after in sorted(spans):
        if current is not None and first <= current[1]:
            current = current[0], max(current[1], after)
        else:
            if current is not None:
                yield current
            current = first, after
    if current is not None:
        yield current
