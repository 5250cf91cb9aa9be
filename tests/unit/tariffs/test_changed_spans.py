"""The time for which a contract has other terms than the one that it replaces."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flink_job.tariffs.changed_spans import LAST_MS, changed_spans

DAYS = ("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")


def ms(day: str) -> int:
    """Midnight of a day in UTC, the time zone of the contracts unless a test says otherwise."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


NOW_MS = ms("2026-03-20")


def assigned(tariff_id: str, valid_from: str, **more: Any) -> dict[str, Any]:
    return {"tariff_id": tariff_id, "valid_from": valid_from, **more}


def contract(*assignments: dict[str, Any], **more: Any) -> str:
    terms = {"meter_id": "m", "site_path": "f/p/l/m", "timezone": "UTC", "assignments": assignments}
    return json.dumps(terms | more)


def spans(latest: str, previous: str | None) -> list[tuple[int, int, tuple[str, ...]]]:
    return [span[:3] for span in changed_spans(latest, previous, "default", NOW_MS)]


OLD = contract(assigned("a", DAYS[0]))


def test_a_first_contract_and_one_that_says_the_same_change_nothing() -> None:
    assert spans(OLD, None) == []
    assert spans(contract(assigned("a", DAYS[0]), issued_at="2026-03-19T00:00:00Z", tags={"line": "2"}), OLD) == []


def test_another_tariff_from_a_past_day_changes_the_time_since() -> None:
    assert spans(contract(assigned("a", DAYS[0]), assigned("b", DAYS[2])), OLD) == [
        (ms("2026-03-01"), LAST_MS, ("tariff_id",))
    ]


def test_a_later_assignment_changes_nothing_that_was_priced() -> None:
    assert spans(contract(assigned("a", DAYS[0]), assigned("b", "2026-04-01")), OLD) == []
    assert spans(contract(assigned("a", DAYS[0]), changes=[{"valid_from": "2026-05-01", "billing_day": 9}]), OLD) == []


def test_a_month_that_is_corrected_ends_where_the_terms_agree_again() -> None:
    latest = contract(assigned("a", DAYS[0]), assigned("b", DAYS[1]), assigned("a", DAYS[2]))
    assert spans(latest, OLD) == [(ms("2026-02-01"), ms("2026-03-01"), ("tariff_id",))]


def test_adjoining_spans_are_one_with_the_fields_of_both() -> None:
    latest = contract(
        assigned("b", DAYS[1]),
        changes=[{"valid_from": "2026-03-10", "multiplier": 2}],
    )
    assert spans(latest, OLD) == [(ms("2026-01-01"), LAST_MS, ("tariff_id", "contracted_kw", "multiplier"))]


def test_a_field_without_a_date_changes_all_time() -> None:
    assert spans(contract(assigned("a", DAYS[0]), multiplier=40), OLD) == [(0, LAST_MS, ("multiplier",))]


def test_the_days_are_local_ones() -> None:
    madrid = {"timezone": "Europe/Madrid"}
    [(start, _, _)] = spans(
        contract(assigned("a", DAYS[0]), assigned("b", DAYS[2]), **madrid), contract(assigned("a", DAYS[0]), **madrid)
    )
    assert start == ms("2026-03-01") - 3_600_000  # UTC+1 in winter


@given(*(st.lists(st.sampled_from("ab"), min_size=4, max_size=4) for _ in range(2)))
def test_a_day_is_in_a_span_if_and_only_if_its_tariff_differs(latest: list[str], previous: list[str]) -> None:
    def document(tariffs: list[str]) -> str:
        return contract(*(assigned(tariff, day) for tariff, day in zip(tariffs, DAYS, strict=True)))

    found = spans(document(latest), document(previous))
    for day, one, other in zip(DAYS[:3], latest, previous, strict=False):  # the last day is in the future
        assert any(start <= ms(day) < end for start, end, _ in found) == (one != other)
