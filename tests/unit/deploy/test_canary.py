"""Canary: the job can parse its records, and the check detects late, missing and wrong costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from deploy.canary.runtime import probe
from flink_job.metering.contract import of_tenant
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.envelope import opened
from flink_job.metering.reading import parse_reading
from flink_job.tariffs.document import parse_tariff
from flink_job.tenants import split

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
SLOT = probe.slot_of(NOON)
NOW = NOON + timedelta(seconds=20)


def row(slot: int, **other: str) -> dict[str, str | None]:
    """A row of `costs` as Athena returns it."""
    return {
        "reading_id": f"r{slot}",
        "interval_start": f"{probe.interval_of(slot):%Y-%m-%d %H:%M:%S}.000",
        "energy_kwh": f"{probe.energy_kwh(slot):.6f}",
        "cost": f"{probe.cost(slot):.6f}",
        "currency": "EUR",
        **other,
    }


def test_a_reading_belongs_to_the_tenant_canary() -> None:
    payload, tenant, device = opened(probe.reading(SLOT))
    read = parse_reading(payload, int(NOW.timestamp() * 1000), 1_000_000, 3600, tenant, device)
    assert read.reason is None
    assert split(read.meter_id) == ("canary", "canary")
    assert read.start_ms == int((NOON - timedelta(days=7305)).timestamp() * 1000)
    assert device is None


def test_the_job_can_parse_contract_and_tariff() -> None:
    contract = of_tenant(parse_contract(probe.contract()))
    assert split(contract.meter_id) == ("canary", "canary")
    assert [split(a.tariff_id) for a in contract.assignments] == [("canary", "canary")]
    assert parse_tariff(probe.tariff()).tariff_id == "canary"


def test_costs_fit_into_the_decimals_of_the_job() -> None:
    for slot in range(SLOT, SLOT + 2000):
        assert probe.cost(slot) == round(probe.cost(slot), 6) > 0
        assert Decimal(str(float(probe.energy_kwh(slot)))) == probe.energy_kwh(slot)


def test_the_age_is_that_of_the_newest_cost() -> None:
    rows = [row(SLOT - 3), row(SLOT - 1), row(SLOT - 2)]
    assert probe.evaluate(rows, SLOT, NOW) == probe.Finding(920, (), 3)
    assert probe.evaluate(rows[:1], SLOT, NOW).age_s == 2720


def test_without_costs_the_age_is_the_lookback() -> None:
    assert probe.evaluate([], SLOT, NOW) == probe.Finding(6 * 3600 + 20, (), 0)
    # The cost of the current reading, from an earlier attempt of the same run, does not count.
    assert probe.evaluate([row(SLOT)], SLOT, NOW).found == 0


def test_a_cost_that_is_wrong_in_the_last_digit_is_detected() -> None:
    right = probe.cost(SLOT - 1)
    for other in ({"cost": f"{right + Decimal('0.000001')}"}, {"currency": "USD"}, {"energy_kwh": "0"}):
        assert probe.evaluate([row(SLOT - 1, **other)], SLOT, NOW).wrong == (SLOT - 1,)
    doubled = [row(SLOT - 1), row(SLOT - 1, reading_id="another")]
    assert probe.evaluate(doubled, SLOT, NOW).wrong == (SLOT - 1,)


def test_revisions_that_add_up_are_correct() -> None:
    part = {"energy_kwh": "0", "cost": "0.000001"}
    rest = f"{probe.cost(SLOT - 1) - Decimal('0.000001')}"
    assert probe.evaluate([row(SLOT - 1, cost=rest), row(SLOT - 1, **part)], SLOT, NOW).wrong == ()


def test_checked_partitions_are_those_of_the_readings() -> None:
    midnight = probe.slot_of(datetime(2026, 3, 28, 0, 0, tzinfo=UTC))
    assert probe.partitions_of(probe.checked_slots(midnight)) == ["2006-03-27"]
    assert probe.partitions_of(probe.checked_slots(midnight + 1)) == ["2006-03-27", "2006-03-28"]
