"""Settlement of news: settles the billing cycles with news window by window, and records what it has read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from flink_job.billing.adjustments import Adjustment
from flink_job.billing.agreements import Book
from flink_job.billing.news import find_news
from flink_job.billing.news_state import Seen, Span, read_seen, write_seen
from flink_job.billing.news_windows import Window, left_of, windows
from flink_job.billing.rerate import Rerated
from flink_job.billing.settling import Settling
from flink_job.errors import MeteringError
from flink_job.io.remote import downloaded


class UnsettledError(MeteringError):
    """Supplies or meters cannot be settled, and the others are not to be settled without them."""


@dataclass
class NewsRun:
    """A settlement of the news of a lake at a folder, or s3://bucket.

    `began` is UTC-aware; `allowance`: time after the end of a cycle at which it is settled finally. `settled` is called
    with the result of each window. With `allow_partial`, supplies that cannot be settled are left for the next run.
    With `dry_run`, nothing is written. `adjustments`, `problems` and `left` are those of all windows.
    """

    lake: str
    book: Book
    began: datetime
    allowance: timedelta
    allow_partial: bool = False
    dry_run: bool = False
    settled: Callable[[Rerated], None] = lambda result: None
    progress: Callable[[int], None] = lambda done: None
    adjustments: list[Adjustment] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    left: dict[str, tuple[Span, ...]] = field(default_factory=dict)

    def run(self) -> int:
        """Settle, and return the number of windows that were read. Raises UnsettledError and LakeError."""
        with TemporaryDirectory(prefix="news-") as work:
            before = read_seen(self.lake)
            news = find_news(self.lake, self.book, before, self.began, self.allowance, Path(work))
            found = [] if news is None else windows(self.book, news)
        for window in found:
            self._settle(window)
        if news is not None and not self.dry_run:
            seen: Seen = msgspec.structs.replace(news.seen, left=self.left)
            write_seen(self.lake, seen)
        return len(found)

    def _settle(self, window: Window) -> None:
        with TemporaryDirectory(prefix="settle-") as work, downloaded(self.lake, window.selection) as folder:
            settling = Settling(folder, window.selection, Path(work))
            result = settling.rate(self.book, progress=self.progress, wanted=window.wanted)
            if not window.is_all:
                result.problems = {name: why for name, why in result.problems.items() if name in window.wanted.spans}
            self.settled(result)
            if result.problems and not self.allow_partial:
                raise UnsettledError(
                    f"{len(result.problems):,} meters or supplies cannot be settled. Give all contracts and tariffs, "
                    "or --allow-partial to settle the others"
                )
            if not self.dry_run:
                settling.write(self.lake, result, self.began, wanted=window.wanted)
        self.adjustments += result.adjustments
        self.problems |= result.problems
        for name, spans in left_of(window, result.problems).items():
            self.left[name] = (*self.left.get(name, ()), *spans)

    def oldest_left(self, today: date) -> int:
        """Return the age of the oldest day with news that could not be settled, in days; 0 if there is none."""
        days = [first for spans in self.left.values() for first, _ in spans if first > date.min]
        return max(0, (today - min(days)).days) if days else 0
