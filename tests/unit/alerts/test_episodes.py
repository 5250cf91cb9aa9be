"""Episodes: when an alert is raised, escalates, eases and clears; late, duplicate, corrected and muted samples."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flink_job.alerts.changes import Change
from flink_job.alerts.document import parse_rules
from flink_job.alerts.episodes import step
from flink_job.alerts.points import Point
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import Batch, Sample
from flink_job.alerts.state_machine import EntityState, drop_all, drop_inapplicable, observe, pack_states, unpack_states
from flink_job.alerts.tracks import RuleState
from flink_job.metering.site import Entity

MINUTE_MS = 60_000
#: 2026-03-28 10:00 UTC, a Saturday; readings of five minutes.
TEN = 1_774_692_000_000
PRESS = Entity("m", "zaragoza/casting/line-1/m", "class=press")
HOT = {"rule_id": "hot", "signal": "temperature", "severity": "major", "when": "> 80"}


def rule(**changes: Any) -> Rule:
    calendars = changes.pop("calendars", {})
    document = {"rules": [{**HOT, **changes}], "calendars": calendars}
    if "levels" in changes:
        del document["rules"][0]["severity"], document["rules"][0]["when"]
    return parse_rules(msgspec.json.encode(document)).rules[0]


class Machine:
    """The state machine of a rule and a meter, fed with (minutes after ten, value, minutes of delay, revision)."""

    def __init__(self, **changes: Any) -> None:
        self.rule, self.state = rule(**changes), RuleState()
        self.changes: list[Change] = []

    def feed(self, *samples: tuple[float, ...]) -> list[tuple[str, int]]:
        """Process samples; returns (state, minute of event time) of each change."""
        before = len(self.changes)
        for minute, value, *rest in samples:
            at_ms = TEN + int(minute * MINUTE_MS)
            delay, revision = (*rest, 0, 0)[:2]
            point = Point(at_ms, 300, int(revision), value, 1_000_000)
            arrival_ms = at_ms + 300_000 + int(delay * MINUTE_MS)
            self.changes += step(self.rule, "m", self.state, point, arrival_ms)
        return [(c.state, (c.event_ms - TEN) // MINUTE_MS) for c in self.changes[before:]]


def test_a_value_over_the_limit_raises_and_one_at_it_clears() -> None:
    machine = Machine()
    assert machine.feed((0, 80), (5, 80.5), (10, 90), (15, 80)) == [("raised", 5), ("cleared", 15)]
    raised, cleared = machine.changes
    assert raised.alert_id == cleared.alert_id
    assert (raised.number, cleared.number) == (0, 1)
    # The readings of 5, 10 and 15 cost 1 each.
    assert (raised.cost_u, cleared.cost_u) == (1_000_000, 3_000_000)


def test_for_counts_from_the_first_breach_to_the_last_inclusively() -> None:
    assert Machine(**{"for": "10m"}).feed((0, 90), (5, 90)) == []
    assert Machine(**{"for": "10m"}).feed((0, 90), (5, 90), (10, 90)) == [("raised", 10)]


def test_one_value_below_the_limit_restarts_the_count() -> None:
    assert Machine(**{"for": "10m"}).feed((0, 90), (5, 79), (10, 90), (15, 90)) == []


def test_one_old_sample_raises_nothing() -> None:
    """A device reconnects after six hours and sends one reading above the limit, which has not lasted 10 minutes."""
    machine = Machine(**{"for": "10m"})
    assert machine.feed((0, 90, 360)) == []
    assert machine.feed((360, 70), (365, 70)) == []


def test_a_gap_restarts_the_count() -> None:
    # Three intervals of five minutes are not a gap; more are.
    assert Machine(**{"for": "20m"}).feed((0, 90), (15, 90), (20, 90)) == [("raised", 20)]
    assert Machine(**{"for": "20m"}).feed((0, 90), (16, 90), (20, 90)) == []


def test_max_gap_allows_longer_gaps() -> None:
    assert Machine(**{"for": "1h", "max_gap": "1h"}).feed((0, 90), (60, 90)) == [("raised", 60)]


def test_min_samples() -> None:
    assert Machine(min_samples=3).feed((0, 90), (5, 90)) == []
    assert Machine(min_samples=3).feed((0, 90), (5, 90), (10, 90)) == [("raised", 10)]


def test_missing_data_never_clears() -> None:
    machine = Machine(clear_for="10m")
    assert machine.feed((0, 90), (600, 70)) == [("raised", 0)]
    # `clear_for` requires ten minutes of clear readings; a day without readings does not count.
    assert machine.feed((2040, 70), (2045, 70)) == []
    assert machine.feed((2050, 70)) == [("cleared", 2050)]


def test_between_limit_and_clear_at_nothing_changes() -> None:
    machine = Machine(clear_at="75")
    assert machine.feed((0, 90), (5, 78), (10, 76)) == [("raised", 0)]
    assert machine.feed((15, 75)) == [("cleared", 15)]
    assert machine.feed((20, 78)) == []


def test_severity_escalates_and_eases() -> None:
    levels = [{"severity": "minor", "when": "> 75"}, {"severity": "critical", "when": "> 90"}]
    machine = Machine(levels=levels, clear_for="10m", **{"for": "5m"})
    assert machine.feed((0, 80), (5, 80)) == [("raised", 5)]
    assert machine.feed((10, 95)) == []
    assert machine.feed((15, 95)) == [("escalated", 15)]
    assert machine.feed((20, 80), (25, 80)) == []
    assert machine.feed((30, 80)) == [("eased", 30)]
    assert machine.feed((35, 70), (40, 70), (45, 70)) == [("cleared", 45)]
    assert [change.rank for change in machine.changes] == [1, 3, 1, 1]


def test_late_readings_are_inserted_in_event_time() -> None:
    """A reading that fills the gap in a breach completes it; a clear one interrupts it."""
    assert Machine(max_gap="5m", **{"for": "10m"}).feed((0, 90), (10, 90), (5, 90, 6)) == [("raised", 10)]
    machine = Machine(**{"for": "10m"})
    assert machine.feed((0, 90), (5, 90), (3, 70, 10), (10, 90)) == []
    assert machine.feed((15, 90)) == [("raised", 15)]


def test_a_breach_that_is_found_after_its_end_is_historical() -> None:
    machine = Machine(max_gap="5m", clear_for="5m", **{"for": "10m"})
    assert machine.feed((0, 90), (10, 90), (15, 70), (20, 70), (5, 90, 20)) == [("raised", 10), ("cleared", 20)]
    assert [change.historical for change in machine.changes] == [True, True]


def test_backfill_raises_historical_alerts_only() -> None:
    """Live readings first, then six hours of stored ones: their breach is historical; the live state is unchanged."""
    machine = Machine(**{"for": "10m"})
    assert machine.feed((360, 70), (365, 70)) == []
    backfill = [(minute, 90 if 60 <= minute <= 90 else 70, 365 - minute) for minute in range(0, 120, 5)]
    assert machine.feed(*backfill) == [("raised", 70), ("cleared", 95)]
    assert all(change.historical for change in machine.changes)
    assert machine.feed((370, 90), (375, 90), (380, 90)) == [("raised", 380)]
    assert not machine.changes[-1].historical


def test_a_breach_that_continues_from_stored_readings_is_raised_live_once() -> None:
    """Oldest first after six hours offline: historical while the readings are old, then the same alert live."""
    machine = Machine(**{"for": "10m"})
    assert machine.feed((0, 90, 360), (5, 90, 355), (10, 90, 350)) == [("raised", 10)]
    assert machine.changes[-1].historical
    assert machine.feed(*((minute, 90, 360 - minute) for minute in range(15, 295, 5))) == []
    # At 300 the delay is an hour, the horizon.
    assert machine.feed((300, 90, 60), (305, 90), (310, 70)) == [("raised", 300), ("cleared", 310)]
    assert [change.historical for change in machine.changes] == [True, False, False]
    assert len({change.alert_id for change in machine.changes}) == 1


def test_duplicates_change_nothing() -> None:
    machine = Machine(min_samples=2)
    assert machine.feed((0, 90), (0, 90, 5), (0, 90, 9)) == []
    assert machine.feed((5, 90), (5, 90, 5)) == [("raised", 5)]
    assert machine.changes[-1].cost_u == 2_000_000


def test_a_correction_replaces_the_reading() -> None:
    machine = Machine(**{"for": "10m"})
    assert machine.feed((0, 90), (5, 90), (5, 70, 2, 1), (10, 90)) == []
    assert machine.feed((5, 95, 3, 0)) == []


def test_flapping_is_raised_once() -> None:
    machine = Machine(flapping={"changes": 4, "within": "1h"})
    changes = machine.feed(*((minute, 90 if minute % 10 == 0 else 70) for minute in range(0, 50, 5)))
    # Raises and clears at 0, 5, 10, 15 are four; the raise at 20 is the fifth.
    assert changes == [("raised", 0), ("cleared", 5), ("raised", 10), ("cleared", 15), ("flapping", 20)]
    assert machine.feed(*((minute, 70) for minute in range(50, 105, 5))) == []
    assert machine.feed((105, 70)) == [("cleared", 105)]


def test_an_alert_of_a_latching_rule_ends_latched() -> None:
    assert Machine(latch=True).feed((0, 90), (5, 70)) == [("raised", 0), ("latched", 5)]


NIGHT = {"night": {"timezone": "Europe/Madrid", "weekly": [{"from": "22:00", "to": "06:00"}]}}


def test_outside_its_calendar_a_rule_is_inactive() -> None:
    """Night shift in Madrid: 22:00 is 21:00 UTC on 28 March; clocks go forward at 1:00 UTC, so 06:00 is 04:00 UTC."""
    machine = Machine(active="night", calendars=NIGHT)
    shift_begins, shift_ends = 11 * 60, 18 * 60
    assert machine.feed((shift_begins - 5, 90)) == []
    assert machine.feed((shift_begins, 90)) == [("raised", shift_begins)]
    assert machine.feed((shift_ends - 5, 90), (shift_ends, 90)) == [("cleared", shift_ends)]


def test_a_rule_that_is_active_outside_its_calendar() -> None:
    assert Machine(active="not night", calendars=NIGHT).feed((0, 90)) == [("raised", 0)]


def test_muted_alerts_are_raised_again_when_the_mute_ends() -> None:
    once = {"stop": {"timezone": "UTC", "once": [{"from": "2026-03-28T10:00", "to": "2026-03-28T10:30"}]}}
    machine = Machine(mute="stop", calendars=once)
    assert machine.feed((0, 90), (25, 90), (30, 90)) == [("raised", 0), ("raised", 30)]
    assert [change.muted for change in machine.changes] == [True, False]


def test_a_removed_rule_ends_its_alert_but_a_missing_document_does_not() -> None:
    """If the rules cannot be read after a start, open alerts stay open."""
    machine = Machine()
    machine.feed((0, 90))
    states = {"hot": machine.state}
    assert list(drop_inapplicable(RuleSet(), states, PRESS)) == []
    [(_, change)] = drop_inapplicable(RuleSet("newer"), states, PRESS)
    assert (change.state, change.detail) == ("cleared", "the rule was removed")
    assert states == {}


def test_the_state_survives_serialization() -> None:
    machine = Machine(**{"for": "10m"})
    machine.feed((0, 90), (5, 90))
    restored = unpack_states(pack_states(EntityState(PRESS, {"hot": machine.state}, is_gone=True)))
    assert (restored.entity, restored.is_placed, restored.is_gone) == (PRESS, False, True)
    machine.state = restored.states["hot"]
    assert machine.feed((10, 90)) == [("raised", 10)]


def test_the_state_of_earlier_versions_is_restored() -> None:
    """Until 0.12.0 the state had no entity; the next sample adds it."""
    machine = Machine(**{"for": "10m"})
    machine.feed((0, 90), (5, 90))
    assert unpack_states(msgspec.msgpack.encode({"hot": machine.state})) == EntityState(None, {"hot": machine.state})
    # Until 0.13.0 it did not say what the rule compared, nor whether the entity is gone.
    live = msgspec.to_builtins(machine.state)[:2]
    assert unpack_states(msgspec.msgpack.encode([PRESS, {"hot": live}])) == EntityState(PRESS, {"hot": machine.state})
    assert unpack_states(None) == EntityState()


@pytest.mark.parametrize(
    ("scope", "entity"),
    [
        # The scope is edited: it names another factory, other tags, or another meter.
        ({"site": "burgos/*"}, PRESS),
        ({"tags": {"class": "oven"}}, PRESS),
        ({"meters": ["other"]}, PRESS),
        # The contract is edited: the meter moves to another site, or loses its tag.
        ({"site": "zaragoza/*"}, PRESS._replace(site_path="burgos/casting/line-1/m")),
        ({"tags": {"class": "press"}}, PRESS._replace(tags="")),
    ],
)
def test_an_entity_that_leaves_the_scope_of_a_rule_ends_its_alert(scope: dict[str, Any], entity: Entity) -> None:
    """The alert raised at 10:00 is cleared once, with the reason."""
    machine = Machine()
    machine.feed((0, 90))
    [raised] = machine.changes
    states = {"hot": machine.state}
    rules = RuleSet("newer", (rule(scope=scope),))
    [(_, cleared)] = drop_inapplicable(rules, states, entity)
    assert (cleared.state, cleared.detail) == ("cleared", "outside the rule's scope")
    assert cleared.alert_id == raised.alert_id
    assert states == {}
    assert list(drop_inapplicable(rules, states, entity)) == []


@pytest.mark.parametrize(
    "edited", [{"signal": "vibration"}, {"change_per": "10m"}, {"signal": "kpi.cost", "window": "1h", "per": "meter"}]
)
def test_a_rule_that_compares_something_else_ends_its_alerts(edited: dict[str, Any]) -> None:
    before, after = RuleSet("1", (rule(),)), RuleSet("2", (rule(**edited),))
    states: dict[str, RuleState] = {}
    sample = Sample(TEN, 300, 0, 0, {"temperature": 90})
    batch = Batch(*PRESS, "reading", "meter", 0, TEN + 300_000, "", (sample,))
    [(_, raised)] = observe(before.rules, states, batch)
    assert list(drop_inapplicable(before, states, PRESS)) == []
    [(ended, cleared)] = drop_inapplicable(after, states, PRESS)
    assert (cleared.state, cleared.detail, cleared.alert_id) == ("cleared", "the rule was changed", raised.alert_id)
    # The value is not one of the signal that the rule has now.
    assert (cleared.value, ended.signal, ended.unit) == (90, "", "")
    assert states == {}


def test_an_entity_in_the_scope_of_an_edited_rule_keeps_its_alert() -> None:
    machine = Machine()
    machine.feed((0, 90))
    states = {"hot": machine.state}
    assert list(drop_inapplicable(RuleSet("newer", (rule(scope={"site": "zaragoza/*"}),)), states, PRESS)) == []
    assert states == {"hot": machine.state}


def batch_of(entity: Entity, source: str) -> Batch:
    return Batch(*entity, source, "", 0, TEN, "", ())


def test_what_a_contract_says_holds_against_samples_of_an_earlier_time() -> None:
    """A window of the old path, corrected after the move, does not move the meter back; it has no tags either."""
    state, moved = EntityState(), PRESS._replace(site_path="burgos/p/l/m")
    assert state.place(batch_of(PRESS, "reading")) == PRESS
    assert state.place(batch_of(PRESS._replace(tags=""), "kpi")) == PRESS
    assert state.place(batch_of(moved, "moved")) == moved
    assert state.place(batch_of(PRESS, "kpi")) == state.place(batch_of(PRESS, "reading")) == moved


def test_an_entity_is_gone_until_a_meter_belongs_to_it_again() -> None:
    state, line = EntityState(), Entity("f/p/l", "f/p/l")
    state.place(batch_of(line, "gone"))
    assert state.is_gone
    assert not state.is_empty
    state.place(batch_of(line, "kpi"))
    assert state.is_gone
    state.place(batch_of(line, "moved"))
    assert not state.is_gone


def test_all_alerts_of_an_entity_that_is_gone_end() -> None:
    machine = Machine()
    machine.feed((0, 90))
    states = {"hot": machine.state}
    [(ended, change)] = drop_all(RuleSet("1", (machine.rule,)), states, PRESS, "no meter is left")
    assert (ended.signal, change.state, change.detail) == ("temperature", "cleared", "no meter is left")
    assert states == {}
