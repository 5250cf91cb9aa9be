"""The whole path at the emulated endpoint: Kinesis, the job stopped and resumed in mid-stream, Firehose, S3."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from deploy.kit.names import SNAPSHOT, Names
from deploy.local.demo import alerts_in_stream, records_of, running_job, wait_until_running
from deploy.local.endpoint import endpoint, free_port
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from flink_job.batch.publish import publish_once
from flink_job.batch.receipt import Receipt, outcomes
from flink_job.config import Job
from flink_job.io.contract_snapshot import snapshot_lines, stored_record
from flink_job.io.kinesis import client, publish
from flink_job.lake.database import open_lake, query
from flink_job.lake.redrive import stored_records
from flink_job.schemas import ACCOUNTED
from tests.harness.jobs import SAMPLES, run_files, write_records
from tests.harness.samples import is_malformed

RECORDS = 12_000
#: Contract records that are none. They follow the contracts in every shard, so once they are in the lake the contracts
#: have been read: readings that come before their contract have to wait, and are overtaken by later ones.
PROBES = [b'{"meter_id": "probe-%d"}' % number for number in range(16)]
#: How many readings go ahead of the others, one by one, until the first has been costed: then the operator that knows
#: the contracts runs, and has them. They are older than all others, so that they make none of them late. They may pass
#: each other while they wait for their contract: how their cost is spread among them is not compared.
AHEAD = 30
#: Records at the end that come from an uploaded file, several to a record of the stream.
UPLOADED = 1000
TIMEOUT_S = 150


def reading(meter: str, quarter: int, kw: float, day: int = 28) -> bytes:
    """A quarter hour of a meter on the casting line, whose limit is 95 kW for 15 minutes."""
    start = f"2026-03-{day}T{10 + quarter // 4}:{quarter % 4 * 15:02d}:00+01:00"
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 900, "power_kw": kw}).encode()


def contract(meter: str, site: str, tariff: str = "eur-flat") -> bytes:
    """A contract of a meter on the casting line of a site."""
    return json.dumps(
        {
            "meter_id": meter,
            "site_path": f"{site}/casting/line-9/{meter}",
            "timezone": "Europe/Madrid",
            "assignments": [{"tariff_id": tariff, "valid_from": "2026-01-01"}],
        }
    ).encode()


AHEAD_READINGS = [reading("ahead", number, 10, day=26) for number in range(AHEAD)]
CONTRACTS = [contract("pending", "zaragoza"), contract("active", "zaragoza"), contract("ahead", "ahead")]
#: Its newest contract is in the snapshot alone; the stream has one that was replaced. Before the job resumes, another
#: snapshot is put there, which it must not read.
STORED, REPLACED = contract("stored", "stored"), contract("stored", "stored", "eur-tou")
#: Two alerts across the stop: one is pending before it, one is active and recovering.
BEFORE = [
    reading("pending", 0, 99),
    *(reading("active", quarter, kw) for quarter, kw in enumerate((99, 99, 99, 80))),
    reading("stored", 0, 10),
]
AFTER = [
    *(reading("pending", 1, 99), reading("pending", 2, 80), reading("active", 4, 80), reading("active", 5, 80)),
    reading("stored", 1, 10),
]
#: What does not depend on the order of arrival. Two records of a meter may pass each other where one had to wait for
#: its contract, in either run: then the later one carries what the earlier one would have, and a correction that passed
#: the reading it corrects makes that a repeat. So intervals are compared, and bills, and which records are known.
#: Of the parts of one supply, the reading that arrives first has what the interval adds to their bill.
INTERVALS = """
    SELECT meter_id, interval_start, tou_period, tariff_id, tariff_version, cycle_start,
        SUM(energy_kwh), SUM(export_kwh), SUM(CASE WHEN role = 'part' THEN 0 ELSE fixed_cost END), MAX(revision)
    FROM costs WHERE meter_id <> 'ahead' GROUP BY ALL
"""
KNOWN = "SELECT reading_id, revision FROM costs UNION ALL SELECT reading_id, revision FROM duplicates"
AMOUNTS = ("energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_S} s: {what}"
        time.sleep(0.5)


def with_intervals(contracts: Iterable[bytes], readings: Iterable[bytes]) -> list[bytes]:
    """Contracts with the interval of the readings of their meter.

    Without it, what is expected of a meter before its first reading depends on when that arrives.
    """
    sent = [json.loads(record) for record in readings if not is_malformed(record)]
    intervals = {one["meter_id"]: one["interval_s"] for one in sent}
    documents = map(json.loads, contracts)
    return [
        json.dumps(one | ({"interval_s": intervals.get(one["meter_id"], 900)} if "meter_id" in one else {})).encode()
        for one in documents
    ]


def store(names: Names, url: str, document: bytes, ahead_ms: int) -> None:
    """A snapshot with a contract of meter `stored`, as the exporter writes it."""
    lines = snapshot_lines([stored_record(document, int(time.time() * 1000) + ahead_ms, "1")])
    client("s3", url).put_object(Bucket=names.registry, Key=SNAPSHOT, Body=gzip.compress(b"".join(lines)))


@pytest.fixture(scope="module")
def lakes(sample_records: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same records through the bounded run, and through the stream with a stop and a resumption between halves."""
    folder = tmp_path_factory.mktemp("stream")
    half = RECORDS // 2
    first = half - AHEAD - len(BEFORE)
    last = RECORDS - half + first - len(AFTER)
    records = [*AHEAD_READINGS, *sample_records[:first], *BEFORE, *AFTER, *sample_records[first:last]]
    bounded = folder / "bounded"
    readings = write_records(folder / "readings.ndjson", records)
    of_sample = with_intervals(records_of(SAMPLES / "contracts.ndjson"), sample_records)
    contracts = write_records(folder / "contracts.ndjson", [*of_sample, *CONTRACTS, *PROBES])
    known = write_records(folder / "known.ndjson", [*records_of(contracts), STORED])
    run_files(readings, known, bounded, rules=SAMPLES / "rules.yaml")
    names, quiet = Names("e2e"), Console(quiet=True)
    with endpoint(folder / "endpoint.log", free_port()) as url:
        create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml")
        # The endpoint's own port, independent of AWS_ENDPOINT_URL.
        write_properties(
            folder / "application_properties.json",
            names,
            url,
            watermark_delay_s=3600,
            idle_timeout_s=10,
            checkpoint_s=5,
        )
        delivery = LocalLake(names, url, folder / "lake")
        publish(names.contracts, iter([REPLACED, *records_of(contracts)]), lambda sent: None, url)
        store(names, url, STORED, ahead_ms=3_600_000)

        def contracts_read() -> bool:
            delivery.refresh()
            found = (folder / "lake" / "rejected").glob("**/*.parquet")
            return sum(pq.read_metadata(path).num_rows for path in found) >= len(PROBES)

        def delivered(count: int) -> Callable[[], bool]:
            return lambda: (delivery.refresh() or True) and delivery.accounted >= count

        with running_job(folder) as job:
            wait_until_running(job, folder, quiet)
            wait_for(contracts_read, "the contracts")
            for record in AHEAD_READINGS:
                publish(names.readings, iter([record]), lambda sent: None, url)
                time.sleep(0 if delivered(1)() else 1)
            wait_for(delivered(AHEAD), "the readings that go ahead")
            publish(names.readings, iter(records[AHEAD:half]), lambda sent: None, url)
            wait_for(delivered(RECORDS // 4), "a quarter of the records")
            job.send_signal(signal.SIGUSR1)
            assert job.wait(60) == 0
        (folder / "job.log").unlink()
        savepoint = (folder / "state" / "savepoint").read_text()
        store(names, url, REPLACED, ahead_ms=7_200_000)
        with running_job(folder, "--savepoint", savepoint) as job:
            wait_until_running(job, folder, quiet)
            tail = records[-UPLOADED:]
            malformed = [record for record in tail if is_malformed(record)]
            publish(names.readings, iter([*records[RECORDS // 2 : -UPLOADED], *malformed]), lambda sent: None, url)
            upload = write_records(folder / "tail.ndjson", [record for record in tail if not is_malformed(record)])
            receipt, again = (uploaded(upload, names, url, folder) for _ in range(2))
            # Readings without a contract wait for later arrivals: the drain lets the last of them go.
            wait_for(delivered(RECORDS - 100), "nearly all records")
            job.send_signal(signal.SIGTERM)
            assert job.wait(60) == 0
        wait_for(delivered(RECORDS), "all records")
        time.sleep(4)
        delivery.refresh()
        alerts = alerts_in_stream(names, url)
    assert again == receipt, "the second time nothing is published"
    stream = {"stream": folder / "lake", "alerts": alerts, "account": delivery.account()}
    return {"bounded": bounded, "receipt": receipt, **stream}


def uploaded(file: Path, names: Names, url: str, folder: Path) -> Receipt:
    """The receipt of a file of readings of any age, published as by the container."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", url)
        job = Job(state_days=10_000)
        return publish_once(str(file), "default", job, names.readings, str(folder / "receipts"), 100_000)[0]


def rows(lakes: dict[str, Any], which: str, sql: str) -> list[tuple[object, ...]]:
    return sorted(query(lakes[which], sql)[1], key=str)


def same(lakes: dict[str, Any], sql: str) -> list[tuple[object, ...]]:
    """Rows of a query, which must be those of the bounded run."""
    expected, found = rows(lakes, "bounded", sql), rows(lakes, "stream", sql)
    missing, unexpected = set(expected) - set(found), set(found) - set(expected)
    assert not missing and not unexpected, (
        f"{len(missing)} rows are missing, as {sorted(missing, key=str)[:5]}; "
        f"{len(unexpected)} unexpected, as {sorted(unexpected, key=str)[:5]}"
    )
    assert len(found) == len(expected)
    return expected


def test_every_interval_is_costed_as_in_the_bounded_run(lakes: dict[str, Any]) -> None:
    assert len(same(lakes, INTERVALS)) > 10_500


def test_every_bill_is_that_of_the_bounded_run_to_the_last_digit(lakes: dict[str, Any]) -> None:
    sums = ", ".join(f"SUM({amount})" for amount in AMOUNTS)
    keys = "COALESCE(supply_point, meter_id), cycle_start, tariff_id, tariff_version"
    bills = same(lakes, f"SELECT {keys}, {sums} FROM costs GROUP BY ALL")
    assert len(bills) > 60


def test_a_job_without_state_starts_with_the_snapshot_and_one_with_state_does_not(lakes: dict[str, Any]) -> None:
    tariffs = "SELECT interval_start, tariff_id FROM costs WHERE meter_id = 'stored'"
    assert [tariff for _, tariff in same(lakes, tariffs)] == ["eur-flat", "eur-flat"]


def test_the_account_closes(lakes: dict[str, Any]) -> None:
    account = lakes["account"]
    assert sum(account[name] for name in ACCOUNTED) == RECORDS


def test_costed_repeated_and_unpriced_records_are_the_same(lakes: dict[str, Any]) -> None:
    assert len(same(lakes, KNOWN)) > 10_500
    assert query(lakes["stream"], "SELECT 1 FROM duplicates LIMIT 1")[1]
    assert same(lakes, "SELECT reading_id, reason FROM unpriced")


def test_rejected_bytes_are_the_same(lakes: dict[str, Any]) -> None:
    bounded, stream = (sorted(stored_records(lakes[which], "rejected")) for which in ("bounded", "stream"))
    assert stream == bounded
    assert bounded


def test_readings_of_a_file_are_accounted_for_by_its_receipt(lakes: dict[str, Any]) -> None:
    receipt: Receipt = lakes["receipt"]
    assert (receipt.refused, receipt.published) == ({}, receipt.rows)
    assert len(receipt.records) < receipt.published / 50
    with open_lake(lakes["stream"]) as lake:
        found = outcomes(receipt, lake)
    assert sum(found.values()) == receipt.published
    assert found["costs"] > UPLOADED / 2
    [(parts,)] = query(lakes["stream"], "SELECT COUNT(*) FROM costs WHERE contains(record_position, '.')")[1]
    assert parts > UPLOADED / 2


def test_merged_kpis_are_the_same(lakes: dict[str, Any]) -> None:
    for view in ("kpis_15m", "kpis_1h", "kpis_1d"):
        columns = "level, entity, window_start, readings, energy_kwh"
        assert same(lakes, f"SELECT {columns} FROM {view} WHERE entity NOT LIKE 'ahead%' AND readings > 0")
        of_parts = "level = 'line' AND entity LIKE 'zaragoza/assembly/%' OR level = 'meter' AND entity IN "
        of_parts += "(SELECT meter_id FROM costs WHERE role = 'part')"
        assert same(lakes, f"SELECT level, entity, SUM(cost) FROM {view} WHERE NOT ({of_parts}) GROUP BY ALL")


def test_expected_readings_are_the_same(lakes: dict[str, Any]) -> None:
    """In the hours between a site's first two and last one: a run of files expects none before and after."""
    bounds = "OVER (PARTITION BY site)"
    sql = f"""
        SELECT level, entity, window_start, expected_readings FROM (
            SELECT *,
                MIN(window_start) FILTER (WHERE readings > 0) {bounds} AS first_hour,
                MAX(window_start) FILTER (WHERE readings > 0) {bounds} AS last_hour
            FROM kpis_1h
        ) WHERE window_start > first_hour + INTERVAL '1' HOUR AND window_start < last_hour AND entity NOT LIKE 'ahead%'
    """
    assert len(same(lakes, sql)) > 1000


def test_alerts_reach_the_lake_and_the_stream(lakes: dict[str, Any]) -> None:
    """A stop in mid-episode and the empty gates after it change nothing: no early raise, no second one."""
    # The last change counts. The end of a past episode follows from its breaches: after a restart the pre-filter does
    # not know what it has dropped.
    columns = ("severity", "state", "value", "episode_start", "event_time", "historical")
    last = ", ".join(f"arg_max({column}, change_number)" for column in columns)
    which = "rule_id IN ('casting-power-high', 'hot')"
    assert same(lakes, f"SELECT alert_id, {last} FROM alerts WHERE {which} GROUP BY 1")
    _, rows = query(
        lakes["stream"],
        "SELECT entity, list(state ORDER BY change_number), list(strftime(event_time, '%H:%M') ORDER BY change_number) "
        "FROM alerts WHERE entity IN ('pending', 'active') AND rule_id = 'casting-power-high' GROUP BY 1 ORDER BY 1",
    )
    # Madrid is an hour ahead of UTC: the second quarter from 10:00 on begins at 9:15; 30 minutes clear end at 10:15.
    assert rows == [("active", ["raised", "cleared"], ["09:15", "10:15"]), ("pending", ["raised"], ["09:15"])]
    _, rows = query(lakes["stream"], "SELECT COUNT(*) FROM alerts")
    assert len(lakes["alerts"]) == rows[0][0]
