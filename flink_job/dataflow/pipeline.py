"""The dataflow, top to bottom: from records to costs, KPIs, alerts, and records that could not be costed.

State is in operators of the JVM, arithmetic in vectorised Python functions. Sources, sinks and functions are
arguments: the job is the same from Kinesis to Firehose and from file to file.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_job.config import Job, Settings
from flink_job.dataflow.accumulators import BILL, REVISIONS
from flink_job.dataflow.functions import Functions
from flink_job.dataflow.operators.alert_ledger import end_lost_alerts
from flink_job.dataflow.operators.alert_states import alert_state_machines, detect_presence
from flink_job.dataflow.operators.group_join import attach_groups
from flink_job.dataflow.operators.keyed_aggregate import aggregate_by_key
from flink_job.dataflow.operators.keyed_updates import update_by_key
from flink_job.dataflow.operators.register_energy import energy_of_reads
from flink_job.dataflow.operators.split_records import split_records
from flink_job.dataflow.operators.temporal_join import Start, StoredRows, join_as_of, join_latest
from flink_job.dataflow.operators.window_rollup import Rollup, combine, roll_up
from flink_job.dataflow.sinks import sink_name
from flink_job.dataflow.table_stream import (
    all_columns,
    with_arrival_time,
    with_event_time,
    with_processing_time,
)
from flink_job.dataflow.uids import Uid
from flink_job.dataflow.views import Views
from flink_job.metering.site import LEVEL_DEPTHS

#: Sums of the KPI windows, in the order that Rollup requires.
SUMS = ("readings", "expected_readings", "import_ukwh", "export_ukwh", "reactive_uvarh", "total_ucost", "mean_ukw")


def define_pipeline(
    t_env: StreamTableEnvironment,
    sources: list[str],
    sinks: Mapping[str, str],
    functions: Functions,
    settings: Settings,
) -> StatementSet:
    """Return all statements of the job, ready to execute.

    `sources` is the DDL of `source_readings`, `source_contracts` and `source_ticks`, with the sink
    `alerts_stream` also of `source_alerts`; `sinks` is the DDL of each output.
    """
    functions.register(t_env)
    for ddl in [*sources, *sinks.values()]:
        t_env.execute_sql(ddl)
    views = Views(t_env)

    # Contracts and registers never expire.
    _state_ttl(t_env, days=0)
    decode(t_env, views)
    resolve(t_env, views, settings)
    registers(t_env, views)

    _state_ttl(t_env, settings.job.state_days)
    revise(t_env, views, settings.job)
    price(t_env, views, settings.job)
    kpis(t_env, views, settings.job)
    alerts(t_env, views, functions, settings.job)
    recorded_alerts(t_env, views, settings, "alerts_stream" in sinks)

    statements = t_env.create_statement_set()
    for output in sinks:
        statements.add_insert(sink_name(output), t_env.from_path(output.removesuffix("_stream")))
    return statements


def decode(t_env: StreamTableEnvironment, views: Views) -> None:
    """Records to readings: split records, unpack envelopes, parse."""
    views.add("decode/source_records")
    split_records(t_env, "source_records", "record_parts", "payload", Uid.SPLIT_RECORDS)
    views.materialize("decode/envelopes", all_columns(), Uid.ENVELOPES)
    views.add("decode/payloads")
    split_records(t_env, "payloads", "payload_parts", "payload", Uid.SPLIT_PAYLOADS)
    views.add("decode/parts")
    views.materialize("decode/decoded", with_arrival_time("arrival"), Uid.DECODE)


def resolve(t_env: StreamTableEnvironment, views: Views, settings: Settings) -> None:
    """Readings to their contract, tariff version, TOU period and billing segment; readings without are `unpriced`.

    Channels that are not billed, and readings of sensors, are `measurements`.
    """
    contracts, tariffs = settings.contracts, settings.tariffs
    views.materialize("contracts/contract_records", with_arrival_time("arrival"), Uid.CONTRACTS)
    stored = StoredRows(contracts.snapshot_uri, tariffs.region, tariffs.endpoint, contracts.snapshot_is_complete)
    views.add("contracts/valid_records")
    attach_groups(t_env, "valid_records", "valid_contracts", stored, Uid.SUPPLIES)
    views.add("contracts/contract_versions", "resolve/readings")
    join_latest(
        t_env,
        ("readings", "valid_contracts"),
        "latest",
        with_arrival_time("arrival"),
        stored,
        Start(settings.job.contracts_idle_s, "arrival"),
        Uid.LATEST_CONTRACT,
        updates="contract_updates",
    )
    views.add("resolve/without_contract")
    join_as_of(
        t_env,
        ("without_contract", "contract_versions"),
        "as_of_arrival",
        ("arrival", "version_arrival"),
        Uid.CONTRACT_AS_OF,
    )
    views.add("resolve/with_contract")
    views.materialize("resolve/placed", all_columns(), Uid.RESOLVE)
    views.materialize("resolve/resolved", all_columns(), Uid.FLATTEN)
    views.add("resolve/rejected", "resolve/unpriced", "resolve/priceable")
    views.add("measurements/channels", "measurements/measurements")


def registers(t_env: StreamTableEnvironment, views: Views) -> None:
    """Reads of cumulative registers to energy, in the order of their meter's records."""
    views.add("registers/register_reads", "registers/register_values")
    energy_of_reads(t_env, "register_values", "register_energy", Uid.REGISTERS)


def revise(t_env: StreamTableEnvironment, views: Views, job: Job) -> None:
    """Readings to changes of quantities: a duplicate changes nothing, a correction the difference."""
    views.add("revise/measured")
    aggregate_by_key(t_env, "measured", "revised", REVISIONS, job.state_days, Uid.REVISIONS)
    views.materialize("revise/deltas", all_columns(), Uid.DELTAS)
    views.add("revise/duplicates")


def price(t_env: StreamTableEnvironment, views: Views, job: Job) -> None:
    """Changes to costs: the bill after each change minus the bill before it."""
    views.add("price/changes")
    update_by_key(t_env, "changes", "accumulated", BILL, job.state_days, Uid.BILL)
    views.materialize("price/priced", all_columns(), Uid.PRICE)
    views.materialize(
        "price/costed", with_event_time("event_time", ("start_ms", "observed_ms"), job.watermark_delay_s), Uid.COSTS
    )
    views.add("price/costs")


def kpis(t_env: StreamTableEnvironment, views: Views, job: Job) -> None:
    """Costs to KPIs by quarter hour, hour and local day: meters, and the levels above."""
    views.materialize("kpis/contract_terms", all_columns(), Uid.EXPECTED)
    views.add("contracts/contract_changes")
    views.add("kpis/kpi_parts", "kpis/kpi_readings", "kpis/expected_meters")
    meters, levels = (
        Rollup(("meter_id", "site_path", "currency", "upstream_path"), SUMS),
        Rollup(("entity", "currency"), SUMS),
    )
    roll_up(t_env, "kpi_readings", "meter_windows", meters, job.state_days, Uid.KPIS_METERS, "expected_meters")
    views.add("kpis/path_changes")
    lines = Rollup(("path", "currency"), SUMS)
    combine(t_env, "path_changes", "combined_changes", lines, LEVEL_DEPTHS["line"], Uid.KPIS_COMBINE)
    views.add("kpis/level_changes")
    roll_up(t_env, "level_changes", "level_windows", levels, job.state_days, Uid.KPIS_LEVELS)
    views.add("kpis/windows", "kpis/kpis")


def alerts(t_env: StreamTableEnvironment, views: Views, functions: Functions, job: Job) -> None:
    """Samples that may change an alert, and entities that stop reporting, move or are gone, to changes of alerts."""
    views.add("alerts/kpi_samples")
    views.materialize("alerts/prefiltered", with_processing_time("processed_at"), Uid.ALERT_PREFILTER)
    views.materialize("alerts/heartbeats", with_arrival_time("arrival"), Uid.HEARTBEATS)
    views.materialize("alerts/ticks", with_arrival_time("arrival"), Uid.CLOCK)
    views.add("alerts/arrivals", "alerts/members")
    detect_presence(t_env, ("arrivals", "members"), "presence", job.silence_s, Uid.PRESENCE)
    views.add("alerts/alert_samples", "alerts/no_data_events")
    machines = {
        Uid.ALERT_STATES: ("alert_samples", functions.alert_states),
        Uid.NO_DATA: ("no_data_events", functions.no_data),
    }
    alert_state_machines(t_env, "alert_rows", machines, functions.alert_row)
    views.add("alerts/found_alerts")


def recorded_alerts(t_env: StreamTableEnvironment, views: Views, settings: Settings, are_read_back: bool) -> None:
    """Changes of alerts to the table `alerts`; those that are read back from their stream end if they are lost."""
    if not are_read_back:
        t_env.create_temporary_view("alerts", t_env.from_path("found_alerts"))
        return
    views.materialize("alerts/emitted_alerts", with_arrival_time("written"), Uid.EMITTED_ALERTS)
    views.add("alerts/read_back")
    inputs, refresh_s = ("found_alerts", "read_back"), settings.tariffs.rules_refresh_s
    end_lost_alerts(t_env, inputs, "alerts", refresh_s, settings.job.state_days, Uid.ALERT_LEDGER)


def _state_ttl(t_env: StreamTableEnvironment, days: int) -> None:
    """Set the TTL of SQL operators that are translated from here on; 0 for no expiry."""
    t_env.get_config().set("table.exec.state.ttl", f"{days} d")
