"""Dated changes of a contract: place, multiplier, time zone and billing day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.metering.changes import Places, billing_days, zone_of
from flink_job.metering.contract import Contract, ContractError, of_tenant
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.local_days import local_days
from flink_job.metering.zones import DatedZone, local_midnight_ms, zone_named
from flink_job.tariffs.cycle import cycle_at, part_at
from flink_job.tariffs.history.segments import BillingTerms

TO_LONDON = "Europe/Madrid>2026-06-05>Europe/London"
TO_MADRID = "Europe/London>2026-06-05>Europe/Madrid"
HOUR_MS = 3_600_000


def contract(*changes: dict[str, Any], **fields: Any) -> Contract:
    document = {
        "meter_id": "m",
        "site_path": "f/p/l1/m",
        "timezone": "Europe/Madrid",
        "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
        "changes": changes,
    }
    return parse_contract(json.dumps(document | fields))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_reading_belongs_to_the_place_of_its_start() -> None:
    """Midnight of 5 June in Madrid is at 22:00 UTC."""
    moved = contract(
        {"valid_from": "2026-07-01", "tags": {"gateway": "g"}},
        {"valid_from": "2026-06-05", "site_path": "/f/p/l2/m", "multiplier": "2"},
    )
    places = Places(of_tenant(moved, "acme"))
    found = [places.at(ms(at)) for at in ("2026-06-04T21:59", "2026-06-04T22:00", "2026-07-02T00:00")]
    assert [c.site_path for c in found] == ["acme\x1ff/p/l1/m", "acme\x1ff/p/l2/m", "acme\x1ff/p/l2/m"]
    assert [c.multiplier for c in found] == [1, 2, Decimal(2)]
    assert [c.tags for c in found] == [{}, {}, {"gateway": "g"}]


def test_without_a_change_of_the_zone_it_is_that_of_the_contract() -> None:
    same = {"valid_from": "2026-06-05", "timezone": "Europe/Madrid", "billing_day": 3}
    assert zone_of(contract(same)) == "Europe/Madrid"
    assert billing_days(contract(same)) == ((date(2026, 6, 5), 3),)
    assert zone_of(contract({"valid_from": "2026-06-05", "timezone": "Europe/London"})) == TO_LONDON


@pytest.mark.parametrize(
    ("key", "hours", "begins"),
    [(TO_LONDON, 25, "2026-06-04T23:00"), (TO_MADRID, 23, "2026-06-04T22:00")],
)
def test_the_day_before_a_change_of_zone_is_longer_or_shorter(key: str, hours: int, begins: str) -> None:
    """Madrid's 4 June begins at 22:00 UTC and London's 5 June at 23:00 UTC; the other way from 23:00 to 22:00 UTC."""
    days = local_days(key)
    start, end = days.day_of(ms("2026-06-04T12:00"))
    assert (end - start) // HOUR_MS == hours
    assert end == ms(begins)
    assert days.day_of(end)[0] == end


@given(
    st.sampled_from([TO_LONDON, TO_MADRID, "Asia/Kolkata>2026-03-29>Europe/Madrid>2026-10-25>America/New_York"]),
    st.integers(ms("2026-01-01"), ms("2026-12-31")),
)
def test_every_instant_has_one_local_time_and_one_local_day(key: str, instant_ms: int) -> None:
    zone = zone_named(key)
    local = datetime.fromtimestamp(instant_ms / 1000, zone)
    assert round(local.timestamp() * 1000) == instant_ms
    start, end = local_days(key).day_of(instant_ms)
    assert start <= instant_ms < end
    assert start == local_midnight_ms(local.date(), zone)


def test_a_zone_has_a_name_and_no_offset_without_a_time() -> None:
    zone = DatedZone(TO_LONDON)
    assert (zone.tzname(None), zone.dst(None), zone.utcoffset(None)) == (TO_LONDON, None, None)


def test_a_change_of_the_billing_day_cuts_the_cycle() -> None:
    """From 5 June on cycles begin on the 3rd: 1 to 5 June, then 5 June to 3 July, of cycles of 30 days each."""
    changes = ((date(2026, 6, 5), 3),)
    terms = BillingTerms(zone_named("Europe/Madrid"), 1, changes=changes)
    assert cycle_at(date(2026, 6, 4), 1, (), changes) == (date(2026, 6, 1), date(2026, 7, 1))
    assert cycle_at(date(2026, 6, 5), 1, (), changes) == (date(2026, 6, 3), date(2026, 7, 3))
    assert terms.part_at(date(2026, 6, 4)) == (date(2026, 6, 1), date(2026, 6, 5))
    assert terms.part_at(date(2026, 6, 5)) == (date(2026, 6, 5), date(2026, 7, 3))
    assert terms.cycle_end(date(2026, 6, 1)) == date(2026, 7, 1)
    assert terms.cycle_end(date(2026, 6, 3)) == date(2026, 7, 3)
    cycle = date(2026, 6, 1), date(2026, 7, 1)
    assert part_at(date(2026, 6, 5), cycle, (), ()) == cycle
    assert part_at(date(2026, 6, 5), cycle, cycle, changes) == cycle


def test_the_version_is_the_time_of_issue_but_not_after_the_arrival() -> None:
    issued = contract(issued_at="2026-06-05T00:00:00+02:00")
    assert issued.version_ms(ms("2026-07-01T00:00")) == ms("2026-06-04T22:00")
    assert issued.version_ms(5) == 5
    assert contract().version_ms(5) == 5


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"changes": [{"valid_from": "2026-06-05", "line": "l2"}]}, "unknown field 'line' of a change"),
        ({"changes": [{"valid_from": "2026-06-05"}, {"valid_from": "2026-06-05"}]}, "two changes have valid_from"),
        ({"changes": [{"valid_from": "2026-06-05", "timezone": "Mars/Base"}]}, "not an IANA time zone"),
        ({"changes": [{"valid_from": "2026-06-05", "billing_day": 32}]}, "billing_day is 32"),
        ({"changes": [{"valid_from": "2026-06-05", "multiplier": "0"}]}, "multiplier is 0"),
        ({"changes": [{"valid_from": "2026-06-05", "site_path": "//"}]}, "site_path must have"),
        ({"changes": [{"valid_from": "2026-06-05", "tags": {"a": "b=c"}}]}, "tags must not contain"),
        ({"changes": [{"valid_from": "0001-06-05"}]}, "years must be in"),
        ({"issued_at": "2026-06-05T00:00:00"}, "issued_at must have a UTC offset"),
    ],
)
def test_faults_are_named(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        contract(**fields)
