"""Sizing checked by hand: a thousand and a million meters, and the bill of prod."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from deploy.settings import ENVIRONMENTS
from deploy.sizing import ingest
from deploy.sizing.__main__ import app
from deploy.sizing.bill import Plan, bill, savings_of
from deploy.sizing.kinds import FREE, ROWS
from deploy.sizing.model import MONTH_S, size
from deploy.sizing.packing import row_billed_bytes
from deploy.sizing.prices import figures, prices

DATA = figures()
PROD = ENVIRONMENTS["prod"]
MILLION = Plan(1_000_000, 300, 100, PROD)


def test_thousand_meters_need_the_minimum() -> None:
    small = size(1000, 300, 40)
    # 3.3 readings/s; 3.33 * 86,400 s * 40 d * 52 bytes = 0.60 GB of state.
    assert (small.shards, small.kpus_for_load, small.kpus_for_state, small.applications, small.kpus) == (1, 1, 1, 1, 2)
    assert small.state_gb == pytest.approx(0.599, abs=0.001)


def test_million_meters() -> None:
    million = size(1_000_000, 300, 100)
    # 3,333 readings/s over 500 planned for a shard: 6.67, so 7. Over 1,700 for a KPU: 1.96, so 2.
    assert (million.shards, million.kpus_for_load) == (7, 2)
    # 3,333.3 * 86,400 * 100 * 52 bytes = 1,497.6 GB; 35 GB in a KPU: 42.8, so 43, which one application of 63 holds.
    assert million.state_gb == pytest.approx(1497.6, rel=1e-6)
    assert (million.kpus_for_state, million.applications, million.kpus) == (43, 1, 44)


def test_fewer_state_days_need_fewer_kpus() -> None:
    assert size(1_000_000, 300, 40).kpus_for_state == 18  # 599.04 GB / 35 GB = 17.1


def test_configured_parallelism_is_the_minimum() -> None:
    assert size(1000, 300, 100, PROD).kpus == PROD.parallelism + 1


def test_limits_are_sorted_by_meters() -> None:
    limits = {limit.name: limit.meters for limit in size(1000, 300, 100).limits}
    # 63 KPU * 1,700 readings/s * 300 s.
    assert limits["64 KPU, throughput"] == 63 * 1700 * 300
    # 5 MiB/s over rows of 557 bytes, each 300 s.
    assert limits["Firehose, bytes of one delivery stream"] == pytest.approx(5_242_880 / 557 * 300)
    assert list(limits.values()) == sorted(limits.values())


def test_single_row_is_billed_as_5_kb() -> None:
    assert row_billed_bytes(0, 900, 5120) == 5120
    # Five rows a second for 4 s and the first: 21 of 900 bytes are 3.7 steps, billed as 4.2 on average.
    assert row_billed_bytes(5, 900, 5120) == pytest.approx((21 * 900 + 2560) / 21)
    # A record of 50,000 bytes: half a step more than its ten.
    assert row_billed_bytes(1e6, 900, 5120) == pytest.approx(900 * (50_000 + 2560) / 50_000)
    # A record has at most 500 rows of any size.
    assert row_billed_bytes(1e6, 10, 5120) == pytest.approx((5000 + 2560) / 500)


def test_billed_bytes_per_row_are_bounded() -> None:
    billed = [row_billed_bytes(10 ** (power / 10), 900, 5120) for power in range(-50, 50)]
    assert billed == sorted(billed, reverse=True)
    assert 900 < billed[-1] < billed[0] <= 5120


def test_firehose_cost_of_all_tables() -> None:
    one, paid = size(300, 300), prices("us-east-1")
    kpis_s = 300 * (1 / 900 + 1 / 3600 + 1 / 86_400)
    # A reading a second; 2 % duplicates, 0.1 % refused, 0.1 % register readings; four rows of alerts a meter and month.
    alerts_s = 300 * 4 / MONTH_S
    rows_s = {1.0: 1, 0.02: 1, 0.0005: 2, 0.001: 1, alerts_s / 2: 1}
    billed = sum(rate * tables * row_billed_bytes(rate, 557, 5120) for rate, tables in rows_s.items())
    billed += kpis_s * row_billed_bytes(kpis_s, 339, 5120) + alerts_s / 2 * 5120
    billed += 0.2 * row_billed_bytes(0.2, 325, 5120)  # a measured channel in a fifth of the readings
    jq_h = (1 + 0.2 + 0.02 + 0.001 + 0.001 + kpis_s + alerts_s) * MONTH_S * 0.1 / 1000 / 3600
    expected = billed * MONTH_S / 1e9 * (0.029 + 0.018 + 0.020) + jq_h * 0.07 + one.objects_month / 1000 * 0.005
    assert ingest.firehose(one, paid) == pytest.approx(expected)


def test_kinesis_on_demand_rounds_records_to_1_kb() -> None:
    paid, needed = prices("us-east-1"), size(1_000_000, 300, 100, PROD)
    gb = needed.readings_s * MONTH_S * 1024 / 1e9
    day_gb = needed.readings_s * 154 * 86_400 / 1e9
    # The readings: in, out to one reader, six days beyond the first. Contracts and alerts: a shard each, kept longer.
    readings = 730 * 0.04 + gb * (0.08 + 0.04) + day_gb * 6 * 0.10
    shards = 2 * 730 * (0.015 + 0.02) + (100_000 + 4_000_000) / 1e6 * 0.014
    contracts_long = 100_000 * 1000 / 1e9 / 30.4 * (8760 - 168) / 24 * 0.023
    assert ingest.kinesis(needed, PROD, paid) == pytest.approx(readings + shards + contracts_long)


def test_kinesis_provisioned_cost_of_retention() -> None:
    paid, needed = prices("us-east-1"), size(1_000_000, 300)
    two, day = replace(PROD, shards=2), replace(PROD, shards=2, retention_h=24)
    # Seven shards are needed regardless of the settings; they and the alerts' one pay 0.02 an hour beyond 24 h.
    assert ingest.kinesis(needed, two, paid) - ingest.kinesis(needed, day, paid) == pytest.approx(8 * 730 * 0.02)


def test_iot_core_cost() -> None:
    paid = prices("us-east-1")
    needed = size(1000, 300)
    messages = 1000 / 300 * MONTH_S
    expected = 50 * MONTH_S / 60 / 1e6 * 0.08 + messages / 1e6 * (1.0 + 0.15 + 0.15)
    assert ingest.iot(needed, 50, PROD, paid) == pytest.approx(expected)
    assert ingest.iot(needed, 0, PROD, paid) == 0


def test_device_audit_cost() -> None:
    """50 devices at 1.10 USD per 1,000: 0.055 USD a month."""
    paid, needed = prices("us-east-1"), size(1000, 300)
    audited = replace(PROD, device_audit=True)
    more = ingest.iot(needed, 50, audited, paid) - ingest.iot(needed, 50, PROD, paid)
    assert more == pytest.approx(0.055)


def test_bill_has_all_rows() -> None:
    assert list(bill(MILLION, prices("eu-west-1"))) == list(ROWS)
    assert not set(FREE) & {kind for kinds in ROWS.values() for kind in kinds}
    assert all(FREE.values())


def test_last_values_cost_writes() -> None:
    paid = prices("us-east-1")
    kept = replace(MILLION, environment=replace(PROD, last_values=True))
    more = bill(kept, paid)["DynamoDB"] - bill(MILLION, paid)["DynamoDB"]
    assert more > 1_000_000 / 300 * MONTH_S / 1e6 * 0.625


def test_savings_are_differences_of_bills() -> None:
    paid = prices("us-east-1")
    savings = {saving.name: saving.saved_usd for saving in savings_of(replace(MILLION, devices=1000), paid)}
    assert list(savings.values()) == sorted(savings.values(), reverse=True)
    shorter = sum(bill(MILLION, paid).values()) - sum(bill(replace(MILLION, state_days=40), paid).values())
    assert savings["state_days = 40"] == pytest.approx(shorter)
    # A message in ten: nine tenths of what messages, rules and actions cost.
    assert savings["10 readings per message"] == pytest.approx(1e6 / 300 * MONTH_S / 1e6 * 1.3 * 0.9)
    assert not any("message" in saving.name for saving in savings_of(MILLION, paid))


def test_every_figure_has_a_source() -> None:
    assert all(f["from"] for part in ("measured", "assumed") for f in DATA[part].values() if isinstance(f, dict))
    assert all(DATA[part]["when"] for part in ("measured", "assumed", "limits", "prices", "deployed"))
    regions = DATA["prices"]["regions"]
    assert {frozenset(entries) for entries in regions.values()} == {frozenset(regions["us-east-1"])}
    for entry in (entry for entries in regions.values() for entry in entries.values()):
        assert DATA["prices"]["sources"][entry["source"]]["read"]
        assert entry["verified"] == (entry["source"] != "memory")


def test_unlisted_region_uses_fallback_prices() -> None:
    paid = prices("ap-south-2")
    assert not paid.listed
    assert paid["shard_hour"] == 0.015


def test_command_reports_unverified_prices() -> None:
    done = CliRunner().invoke(app, ["--meters", "1000", "--env", "prod", "--devices", "10"])
    assert done.exit_code == 0, done.output
    for text in ("Cost of prod", "per 1,000", "IoT Core", "Savings", "NOT VERIFIED"):
        assert text in done.output


@pytest.mark.parametrize(("meters", "interval_s"), [(0, 300), (1, 0), (1, 90_000)])
def test_invalid_sizes_are_refused(meters: int, interval_s: int) -> None:
    with pytest.raises(ValueError, match="meters"):
        size(meters, interval_s)
