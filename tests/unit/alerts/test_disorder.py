"""Samples that arrive out of order, soon or late: the alert that is open at the end is that of the right order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.alerts.test_backlog import Backlog
from tests.unit.alerts.test_episodes import Machine

ALWAYS = {"horizon": "3650d"}


def test_a_late_clear_sample_divides_an_open_alert() -> None:
    """90 at 0 and 10 minutes, then 70 of 5 minutes arrives: an alert from 0 to 5, and one from 10 on.

    Each sample costs 1.00: the first alert has two, the second one.
    """
    machine = Machine()
    assert machine.feed((0, 90), (10, 90)) == [("raised", 0)]
    assert machine.feed((5, 70, 10)) == [("cleared", 5), ("raised", 10)]
    first, cleared, second = machine.changes
    assert (first.alert_id == cleared.alert_id, first.alert_id == second.alert_id) == (True, False)
    assert [change.historical for change in machine.changes] == [False, False, False]
    assert (cleared.cost_u, second.cost_u) == (2_000_000, 1_000_000)
    assert machine.feed((15, 70)) == [("cleared", 15)]


def test_late_clear_samples_divide_an_alert_if_they_last_long_enough() -> None:
    machine = Machine(clear_for="5m")
    machine.feed((0, 90), (15, 90))
    assert machine.feed((5, 70, 15)) == []
    assert machine.feed((10, 70, 10)) == [("cleared", 10), ("raised", 15)]


def test_a_late_clear_sample_divides_an_alert_that_is_recovering() -> None:
    """Clear at 20, for 5 of 10 minutes: the second part ended with it, and nobody is notified of it."""
    machine = Machine(clear_for="5m")
    machine.feed((0, 90), (15, 90), (20, 70), (5, 70, 20))
    assert machine.feed((10, 70, 15)) == [("cleared", 10), ("raised", 15)]
    assert machine.changes[-1].historical
    assert machine.feed((25, 70)) == [("cleared", 25)]


def test_a_breach_that_is_found_late_and_over_is_not_open() -> None:
    """For 5 minutes above the limit: 0 and 5 are, 10 is not, 15 has not lasted."""
    machine = Machine(**{"for": "5m"})
    assert machine.feed((0, 90), (10, 70), (15, 90)) == []
    assert machine.feed((5, 90, 15)) == [("raised", 5), ("cleared", 10)]
    assert all(change.historical for change in machine.changes)
    [raised] = machine.feed((20, 90)) and machine.changes[2:]
    assert (raised.state, raised.historical, raised.cost_u) == ("raised", False, 2_000_000)


def test_a_late_breach_among_the_samples_that_ended_an_alert_raises_it_again() -> None:
    """Clear for 10 minutes, of which the middle is missing and then above the limit."""
    machine = Machine(clear_for="10m")
    assert machine.feed((0, 90), (5, 70), (15, 70)) == [("raised", 0), ("cleared", 15)]
    assert machine.feed((10, 90, 10)) == [("raised", 10)]
    assert machine.changes[0].alert_id == machine.changes[-1].alert_id
    assert machine.feed((20, 70)) == []
    assert machine.feed((25, 70)) == [("cleared", 25)]


def test_a_late_breach_before_the_samples_that_ended_an_alert_changes_nothing() -> None:
    machine = Machine()
    assert machine.feed((0, 90), (10, 70), (5, 90, 10)) == [("raised", 0), ("cleared", 10)]


series = st.lists(st.sampled_from([70, 70, 90, 90]), min_size=1, max_size=5)
shuffled = series.flatmap(lambda values: st.tuples(st.just(values), st.permutations(range(len(values)))))


@pytest.mark.parametrize("rule", [{}, ALWAYS, {"for": "15m"}, {**ALWAYS, "for": "15m"}])
@settings(max_examples=400, deadline=None, derandomize=True)
@given(drawn=shuffled)
def test_the_open_alert_is_that_of_the_right_order(drawn: tuple[list[float], list[int]], rule: dict[str, str]) -> None:
    """In any order of an hour of samples, on time or long after; of more time, samples are forgotten."""
    values, order = drawn
    ordered, backlog = Backlog(values, **rule), Backlog(values, **rule)
    ordered.feed(*range(len(values)))
    backlog.feed(*order)
    assert open_alerts(backlog) == open_alerts(ordered)


def open_alerts(backlog: Backlog) -> list[tuple[int, int | None]]:
    return [episode for episode in backlog.episodes() if episode[1] is None]
