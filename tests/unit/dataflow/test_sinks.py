"""Sinks: names on the wire, limits of packed records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flink_job.columns import Table
from flink_job.config import Outputs
from flink_job.dataflow.sinks import PACKED, RECORD_BYTES, file_sinks, firehose_sinks
from flink_job.dataflow.wire import WIRE
from flink_job.schemas import OUTPUTS


def test_every_column_has_a_short_name_of_its_own() -> None:
    columns = {column.name for table in OUTPUTS.values() for column in table.columns}
    assert set(WIRE) == columns
    assert len(set(WIRE.values())) == len(WIRE)
    assert all(re.fullmatch("[a-z]{1,3}", name) for name in WIRE.values())
    # Firehose would read the key for the wrong column.
    assert not set(WIRE.values()) & columns


@pytest.mark.parametrize("table", OUTPUTS.values(), ids=lambda t: t.name)
def test_firehose_records_have_short_names_and_files_and_the_alerts_stream_do_not(table: Table) -> None:
    outputs = Outputs(**{name: f"d-{name}" for name in OUTPUTS}, alerts_stream="alerts")
    sinks = firehose_sinks(outputs)
    columns = [column.name for column in table.columns]
    assert re.findall(r"`(\w+)` [A-Z]", sinks[table.name]) == [WIRE[name] for name in columns]
    assert re.findall(r"`(\w+)` [A-Z]", file_sinks(Path("/tmp"))[table.name]) == columns
    assert re.findall(r"`(\w+)` [A-Z]", sinks["alerts_stream"]) == [column.name for column in OUTPUTS["alerts"].columns]


def test_options_of_packing_reach_firehose_alone() -> None:
    outputs = Outputs(
        **{name: f"d-{name}" for name in OUTPUTS}, alerts_stream="alerts", connector={"packed.linger": "9 s"}
    )
    sinks = firehose_sinks(outputs)
    assert "'packed.linger' = '9 s'" in sinks["costs"]
    assert "packed" not in sinks["alerts_stream"]


def test_what_a_slot_holds_for_firehose_fits_into_memory_and_a_request() -> None:
    batch, held, in_flight = (
        int(PACKED[f"sink.{name}"]) for name in ("batch.max-size", "requests.max-buffered", "requests.max-inflight")
    )
    assert batch * RECORD_BYTES <= 4 * 1024 * 1024 < (batch + 4) * RECORD_BYTES
    assert (held + batch * in_flight) * RECORD_BYTES <= 30_000_000
    assert held > batch
