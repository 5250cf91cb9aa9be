"""Second chance: readings whose contract comes later are sent again and costed, and only once; a contract that changes;
and S3 paths.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from deploy.kit.names import Names
from deploy.local.demo import running_job, wait_until_running
from deploy.local.endpoint import endpoint, free_port
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.io.kinesis import client, publish
from flink_job.lake.database import query
from tests.harness.jobs import SAMPLES, command

TIMEOUT_S = 120
READINGS = 8
IDLE_S = 8


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("endpoint")
    with endpoint(folder / "endpoint.log", free_port()) as url:
        yield url


def contract(meter: str, tariff: str = "eur-flat") -> bytes:
    assigned = [{"tariff_id": tariff, "valid_from": "2026-01-01"}]
    return json.dumps(
        {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "Europe/Madrid", "assignments": assigned}
    ).encode()


def readings(meter: str, hour: int) -> Iterator[bytes]:
    for quarter in range(READINGS):
        start = f"2026-03-28T{hour + quarter // 4:02d}:{quarter % 4 * 15:02d}:00Z"
        yield json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 900, "energy_kwh": 1}).encode()


def test_unpriced_readings_are_costed_once_their_contract_is_there_and_by_the_newest(url: str, tmp_path: Path) -> None:
    names = Names("second")
    create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=1)
    properties = tmp_path / "application_properties.json"
    write_properties(properties, names, url, parallelism=2, idle_timeout_s=IDLE_S, checkpoint_s=5)
    delivery = LocalLake(names, url, tmp_path / "lake")

    def wait_for_newcomer(output: str, again: Callable[[], object] = lambda: None, rows: int = READINGS) -> None:
        """Until the lake has the newcomer's readings in an output."""
        deadline = time.monotonic() + TIMEOUT_S
        while rows_of_newcomer(output) < rows:
            assert time.monotonic() < deadline, f"{delivery.rows}, waiting for the newcomer's {output}"
            again()
            time.sleep(1)

    def rows_of_newcomer(output: str) -> int:
        delivery.refresh()
        if not any(delivery.rows.values()):
            return 0
        _, rows = query(tmp_path / "lake", f"SELECT COUNT(*) FROM {output}_rows WHERE meter_id = 'newcomer'")
        return int(str(rows[0][0]))

    def send(stream: str, records: Iterator[bytes]) -> None:
        publish(stream, records, lambda sent: None, url)

    def redrive() -> str:
        os.environ[PROPERTIES_VARIABLE] = str(properties)
        try:
            return command("redrive", "unpriced", "--lake", tmp_path / "lake")
        finally:
            del os.environ[PROPERTIES_VARIABLE]

    send(names.contracts, iter([contract("known")]))
    with running_job(tmp_path) as job:
        wait_until_running(job, tmp_path, Console(quiet=True))
        time.sleep(IDLE_S + 4)  # readings that pause do not end time
        send(names.readings, readings("newcomer", 8))
        # Later arrivals let the waiting readings go.
        wait_for_newcomer("unpriced", lambda: send(names.readings, readings("known", 10)))
        send(names.contracts, iter([contract("newcomer")]))
        time.sleep(3)
        assert f"sent {READINGS} records" in redrive()
        wait_for_newcomer("costs")
        assert rows_of_newcomer("duplicates") == 0
        # What has been priced waits no longer.
        _, rows = query(tmp_path / "lake", "SELECT COUNT(*) FROM unpriced WHERE meter_id = 'newcomer'")
        assert rows == [(0,)]
        assert f"sent {READINGS} records" not in redrive()
        send(names.contracts, iter([contract("newcomer", "eur-tou")]))
        time.sleep(3)
        send(names.readings, readings("newcomer", 12))
        wait_for_newcomer("costs", rows=2 * READINGS)
    costed = "SELECT tariff_id, COUNT(*), SUM(energy_kwh) FROM costs_rows WHERE meter_id = 'newcomer' GROUP BY ALL"
    _, rows = query(tmp_path / "lake", f"{costed} ORDER BY tariff_id")
    assert rows == [("eur-flat", READINGS, READINGS), ("eur-tou", READINGS, READINGS)]
    _, rows = query(tmp_path / "lake", "SELECT DISTINCT emission FROM kpis_rows WHERE entity = 'known'")
    assert ("on_time",) in rows  # two slots mix the readings that come at once, so some may be late


def test_a_superseded_contract_prices_no_reading_of_a_cold_start(url: str, tmp_path: Path) -> None:
    """Between the two contracts of each meter are 5,000 of others. The job starts when all that and the readings are
    in the streams: it reads the contracts up to their head before it prices the first reading.
    """
    names = Names("cold")
    create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=2)
    properties = tmp_path / "application_properties.json"
    write_properties(properties, names, url, parallelism=2, idle_timeout_s=IDLE_S, checkpoint_s=5, contracts_idle_s=5)
    delivery = LocalLake(names, url, tmp_path / "lake")
    meters = [f"m{number}" for number in range(20)]
    superseded = [contract(meter, "eur-flat") for meter in meters]
    others = [contract(f"other-{number}") for number in range(5_000)]
    publish(names.contracts, iter([*superseded, *others]), lambda sent: None, url)
    publish(names.contracts, iter([contract(meter, "eur-tou") for meter in meters]), lambda sent: None, url)
    publish(names.readings, (record for meter in meters for record in readings(meter, 8)), lambda sent: None, url)
    with running_job(tmp_path) as job:
        wait_until_running(job, tmp_path, Console(quiet=True))
        deadline = time.monotonic() + TIMEOUT_S
        while delivery.rows["costs"] < len(meters) * READINGS:
            assert time.monotonic() < deadline, delivery.rows
            delivery.refresh()
            time.sleep(1)
    _, rows = query(tmp_path / "lake", "SELECT tariff_id, COUNT(*) FROM costs GROUP BY ALL")
    assert rows == [("eur-tou", len(meters) * READINGS)]


def test_the_bounded_run_takes_s3_paths(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    s3 = client("s3", url)
    s3.create_bucket(Bucket="batch")
    s3.put_object(Bucket="batch", Key="in/contracts.ndjson", Body=contract("m"))
    s3.put_object(Bucket="batch", Key="in/readings.ndjson", Body=b"\n".join(readings("m", 8)))
    tariff = (SAMPLES / "tariffs" / "eur-flat.json").read_bytes()
    s3.put_object(Bucket="batch", Key="tariffs/eur-flat.json", Body=tariff)
    places = [f"--{name}=s3://batch/in/{file}" for name, file in _FILES.items()]
    shown = command("run", *places, "--tariffs", "s3://batch/tariffs/", "--output", "s3://batch/out")
    assert "Every record accounted for" in shown
    # 8 kWh x 0.189
    assert "1.512000" in command("query", "s3://batch/out", "SELECT SUM(energy_cost) AS charge FROM costs")


_FILES = {"input": "readings.ndjson", "contracts": "contracts.ndjson"}
