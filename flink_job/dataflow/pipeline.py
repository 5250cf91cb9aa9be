"""The dataflow, top to bottom: records in; costs, KPIs, alerts and everything that could not be costed out.

State lives in SQL operators in the JVM, arithmetic in vectorised UDFs. Sources and sinks are arguments: the job is the
same from Kinesis to Firehose and from file to file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyflink.table import StatementSet, StreamTableEnvironment

from flink_job.config import Settings
from flink_job.dataflow.accumulators import BILL, REVISIONS
from flink_job.dataflow.operators.keyed_aggregate import with_running
from flink_job.dataflow.operators.split_records import with_parts
from flink_job.dataflow.operators.temporal_join import StoredRows, with_newest, with_version
from flink_job.dataflow.sinks import sink_name
from flink_job.dataflow.sql import read_sql
from flink_job.dataflow.table_stream import (
    as_it_is,
    cross,
    machines,
    silences,
    with_arrival_time,
    with_event_time,
    with_kept_event_time,
    with_other_event_time,
    with_processing_time,
)
from flink_job.dataflow.uids import Uid
from flink_job.sentry import destination_of
from udfs import register_functions
from udfs.alerts import ALERT_ROW, Episodes, Silences
from udfs.reports import reported_process


class ViewError(RuntimeError):
    """A view that Flink refuses; the message names its file."""


def define_pipeline(
    t_env: StreamTableEnvironment, sources: list[str], sinks: Mapping[str, str], settings: Settings
) -> StatementSet:
    """All statements of the job, ready to execute.

    `sources` is the DDL of `source_readings` and `source_contracts`, `sinks` the DDL of each output.
    """
    register_functions(t_env, settings)
    for ddl in [*sources, *sinks.values()]:
        t_env.execute_sql(ddl)

    # Bytes to readings, each with its contract and its place in the tariff's calendar. Contracts are kept for ever.
    t_env.get_config().set("table.exec.state.ttl", "0 ms")
    # The step of the source keeps the name that it had in earlier versions, and with it the position in the stream.
    _views(t_env, source_records="04_source_records")
    with_parts(t_env, "source_records", "split_records", "payload", Uid.SPLIT_RECORDS, step=Uid.ENVELOPES)
    _views(t_env, enveloped_rows="05_enveloped")
    cross(t_env, "enveloped_rows", "enveloped", as_it_is(), Uid.ENVELOPE_TEXTS)
    _views(t_env, records="06_records")
    with_parts(t_env, "records", "split_payloads", "payload", Uid.SPLIT_PAYLOADS, step=Uid.SPLIT_PAYLOADS.rows)
    _views(t_env, parts="07_parts", decoded_rows="10_decoded")
    cross(t_env, "decoded_rows", "decoded", with_arrival_time("arrival"), Uid.DECODE)
    _views(t_env, contract_rows="20_contracts")
    cross(t_env, "contract_rows", "contracts", with_arrival_time("arrival"), Uid.CONTRACTS)
    _views(t_env, readings="30_readings", newest_contracts="31_newest_contracts")
    snapshot = StoredRows(settings.contracts.snapshot_uri, settings.tariffs.region, settings.tariffs.endpoint)
    known = with_arrival_time("arrival")
    with_newest(t_env, "readings", "newest_contracts", "known", known, snapshot, Uid.NEWEST_CONTRACT)
    _views(t_env, contract_versions="32_contract_versions", awaiting="33_awaiting")
    with_version(t_env, "awaiting", "contract_versions", "awaited", "arrival", "version_arrival", Uid.CONTRACT_VERSION)
    _views(t_env, joined="34_joined", resolved="40_resolved", placed_rows="41_placed")
    cross(t_env, "placed_rows", "placed", with_processing_time("processed_at"), Uid.RESOLVE)
    _views(t_env, unpriced="42_unpriced", rejected="42_rejected")
    _views(t_env, register_reads="43_register_reads", priceable="43_priceable")

    # Reads of cumulative registers to energy, in the order of their meter's records. Registers are kept for ever.
    _views(t_env, register_steps="44_register_steps", register_unwrapped="45_register_unwrapped")
    _views(t_env, register_span="46_register_span", register_energy_rows="47_register_energy")
    cross(t_env, "register_energy_rows", "register_energy", as_it_is(), Uid.REGISTERS)

    # Readings to what each changes: repeats change nothing, corrections the difference.
    t_env.get_config().set("table.exec.state.ttl", f"{settings.job.state_days} d")
    _views(t_env, measured="48_measured")
    with_running(t_env, "measured", "revised", REVISIONS, settings.job.state_days, Uid.REVISIONS)
    _views(t_env, delta_rows="52_deltas")
    cross(t_env, "delta_rows", "deltas", as_it_is(), Uid.DELTAS)
    _views(t_env, repeated="53_repeated")

    # Changes to costs: the state of the bill before and after each, priced.
    _views(t_env, demand="70_demand")
    with_running(t_env, "demand", "accumulated", BILL, settings.job.state_days, Uid.BILL)
    _views(t_env, priced_rows="73_priced")
    cross(t_env, "priced_rows", "priced", as_it_is(), Uid.PRICE)
    _views(t_env, costed_rows="80_costed")
    cross(
        t_env,
        "costed_rows",
        "costed",
        with_event_time("event_time", "start_ms", settings.job.watermark_delay_s),
        Uid.COSTS,
    )

    # Costs to KPIs in event time.
    define_kpis(t_env)

    # What may concern alert rules to the machines of their entities; and what no longer arrives, in time of arrival.
    _views(t_env, kpi_samples="a0_kpi_samples", watch_row_parts="a1_watch_rows")
    cross(t_env, "watch_row_parts", "watch_rows", with_processing_time("processed_at"), Uid.ALERT_GATE)
    _views(t_env, gated="a2_gated", passed="a3_passed", watched_rows="a4_watched", tick_rows="a5_ticks")
    cross(t_env, "watched_rows", "watched", with_arrival_time("arrival"), Uid.HEARTBEATS)
    cross(t_env, "tick_rows", "ticks", with_arrival_time("arrival"), Uid.CLOCK)
    _views(t_env, heartbeats="a6_heartbeats")
    silences(t_env, "heartbeats", "silent", settings.job.silence_s)
    _views(t_env, silence_rows="a7_silences")
    destination = destination_of(settings)
    functions = {
        Uid.EPISODES: ("passed", reported_process(Episodes(settings), destination)),
        Uid.SILENCES: ("silence_rows", reported_process(Silences(settings), destination)),
    }
    machines(t_env, "alert_rows", functions, ALERT_ROW)
    _views(t_env, alerts="a8_alerts")

    statements = t_env.create_statement_set()
    for output in sinks:
        statements.add_insert(sink_name(output), t_env.from_path(output.removesuffix("_stream")))
    return statements


def define_kpis(t_env: StreamTableEnvironment, read: Callable[[str], str] = read_sql) -> None:
    """`costed` to `costs`, and to `kpis` in event time. On time or late is decided once, where the watermark is made.

    `read` gives the SQL of a file.
    """
    _views(t_env, read, costs="81_costs", judged_rows="90_judged")
    cross(t_env, "judged_rows", "judged", with_kept_event_time("row_time"), Uid.LATENESS)
    _views(t_env, read, late="91_late", on_time="91_on_time", filling="91_filling")
    _views(t_env, read, summed_15m="92_summed_15m", meter_15m="93_meter_15m")
    _views(t_env, read, line_parts_15m="94_line_parts_15m", line_15m="94_line_15m")
    _views(t_env, read, level_parts_15m="94_level_parts_15m", all_15m_rows="94_all_15m")
    cross(t_env, "all_15m_rows", "all_15m", with_kept_event_time("row_time"), Uid.KPIS_15M)
    _views(t_env, read, all_1h_rows="95_all_1h")
    cross(t_env, "all_1h_rows", "all_1h", with_other_event_time("day_time", "day_time_ms"), Uid.KPIS_1H)
    _views(t_env, read, all_1d_rows="96_all_1d")
    cross(t_env, "all_1d_rows", "all_1d", as_it_is(), Uid.KPIS_1D)
    _views(t_env, read, kpis="97_kpis")


def _views(t_env: StreamTableEnvironment, read: Callable[[str], str] = read_sql, **files: str) -> None:
    """A view for each `name=file`. Raises ViewError, which names the file."""
    for name, file in files.items():
        try:
            t_env.create_temporary_view(name, t_env.sql_query(read(file)))
        except Exception as error:
            raise ViewError(f"flink_job/dataflow/sql/{file}.sql: {error}") from error
