"""Alerts on KPIs of an entity whose meters are billed in several currencies: each currency has its own episodes."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flink_job.alerts.document import parse_rules
from flink_job.alerts.endings import OTHER_CURRENCY, REMOVED
from flink_job.alerts.rows import alert_row
from flink_job.alerts.rules import RuleSet
from flink_job.alerts.samples import Batch, Sample
from flink_job.alerts.state_machine import States, drop_inapplicable, observe
from flink_job.alerts.worker_prefilters import Prefilters
from flink_job.metering.site import Entity
from tests.unit.alerts.test_corrections import HOUR_MS, SPEND, TEN

LINE = Entity("f/p/l", "f/p/l")
Row = tuple[str, str, int, float]


def rules_of(**changes: str) -> RuleSet:
    return parse_rules(msgspec.json.encode({"rules": [{**SPEND, **changes}]}))


class Level:
    """KPI windows of an entity: (currency, hours after ten, cost)."""

    def __init__(self, level: str = "line", **changes: str) -> None:
        self.level, self.rules, self.states = level, rules_of(per=level, **changes), States()
        self.rows: list[Any] = []

    def feed(self, *windows: tuple[str, int, float]) -> list[Row]:
        """Process windows; returns (currency, state, hour, cost) of each change."""
        first = len(self.rows)
        for currency, hour, cost in windows:
            at_ms = TEN + hour * HOUR_MS
            sample = Sample(at_ms, 3600, 0, round(cost * 1_000_000), {"kpi.cost": cost})
            batch = Batch(*LINE, "kpi", self.level, 3600, at_ms + HOUR_MS, currency, (sample,))
            for rule, change in observe(self.rules.rules, self.states, batch):
                self.rows.append(alert_row(rule, "1", LINE, change, currency, batch.arrival_ms))
        return [shown(row) for row in self.rows[first:]]


def shown(row: Any) -> Row:
    return row.currency, row.state, (row.event_ms - TEN) // HOUR_MS, row.cost_u / 1_000_000


def test_a_clear_window_in_one_currency_does_not_end_an_alert_in_another() -> None:
    """BGN stays below the limit of 1. EUR is above it at ten and eleven: 2 + 3 and, at its end, + 0.5."""
    line = Level()
    assert line.feed(("EUR", 0, 2), ("BGN", 0, 0.5)) == [("EUR", "raised", 0, 2)]
    assert line.feed(("BGN", 1, 0.5), ("EUR", 1, 3)) == []
    assert line.feed(("EUR", 2, 0.5), ("BGN", 2, 0.5)) == [("EUR", "cleared", 2, 5.5)]


def test_breaches_of_one_window_in_two_currencies_are_two_alerts() -> None:
    line = Level()
    assert line.feed(("EUR", 0, 2), ("BGN", 0, 4)) == [("EUR", "raised", 0, 2), ("BGN", "raised", 0, 4)]
    assert len({row.alert_id for row in line.rows}) == 2
    assert [row.unit for row in line.rows] == ["EUR", "BGN"]


def test_an_alert_in_a_currency_without_further_windows_ends_with_the_reason() -> None:
    """The last BGN window is that of ten; samples up to three hours apart are consecutive, so at two p.m. it has ended.

    The EUR windows are clear and make no alert.
    """
    line = Level()
    assert line.feed(("BGN", 0, 2)) == [("BGN", "raised", 0, 2)]
    assert line.feed(*(("EUR", hour, 0.5) for hour in (1, 2, 3))) == []
    assert line.feed(("EUR", 4, 0.5)) == [("BGN", "cleared", 0, 2)]
    assert line.rows[-1].detail == OTHER_CURRENCY
    assert line.states == {}


def test_the_alert_of_a_meter_goes_on_in_another_currency() -> None:
    """A meter has one contract: its windows are one series."""
    meter = Level("meter")
    assert meter.feed(("BGN", 0, 4)) == [("BGN", "raised", 0, 4)]
    assert meter.feed(("EUR", 1, 2)) == []
    assert meter.feed(("EUR", 2, 0.5)) == [("EUR", "cleared", 2, 6.5)]


def test_a_removed_rule_ends_the_alerts_of_all_currencies() -> None:
    line = Level()
    line.feed(("EUR", 0, 2), ("BGN", 0, 4))
    others = rules_of(rule_id="other")
    changes = list(drop_inapplicable(others, line.states, LINE))
    ended = [alert_row(rule, "2", LINE, change, "", TEN + HOUR_MS) for rule, change in changes]
    assert [(row.currency, row.cost_u, row.detail) for row in ended] == [("EUR", 2e6, REMOVED), ("BGN", 4e6, REMOVED)]
    assert {row.alert_id for row in ended} == {row.alert_id for row in line.rows}
    assert line.states == {}


windows = st.lists(st.sampled_from((0.5, 1.5, 3.0)), min_size=1, max_size=12)


@given(windows, windows, st.randoms(use_true_random=False))
def test_each_currency_has_the_alerts_that_it_has_alone(eur: list[float], bgn: list[float], chance: Any) -> None:
    """However windows of the two are interleaved, at most one hour apart, as those of one watermark are."""
    given_windows = {"EUR": eur, "BGN": bgn[: len(eur)] + [0.5] * (len(eur) - len(bgn))}
    both, alone = Level(), {currency: Level() for currency in given_windows}
    mixed: list[Row] = []
    for hour in range(len(eur)):
        for currency in chance.sample(list(given_windows), 2):
            mixed += both.feed((currency, hour, given_windows[currency][hour]))
    for currency, level in alone.items():
        rows = level.feed(*((currency, hour, cost) for hour, cost in enumerate(given_windows[currency])))
        assert [row for row in mixed if row[0] == currency] == rows
        assert [r.alert_id for r in both.rows if r.currency == currency] == [r.alert_id for r in level.rows]


def test_each_currency_of_a_level_has_its_own_prefilter() -> None:
    class Registry:
        rules = rules_of()
        generation = 0

        def refresh(self) -> None:
            """Nothing changes."""

    prefilters = Prefilters(Registry(), "kpi")  # type: ignore[arg-type]
    found = {currency: prefilters.of(LINE, "line", 3600, currency) for currency in ("EUR", "BGN")}
    assert found["EUR"] is not None
    assert found["EUR"] is not found["BGN"]
    assert prefilters.of(LINE, "line", 3600, "EUR") is found["EUR"]
