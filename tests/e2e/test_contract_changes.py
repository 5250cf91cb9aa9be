"""A contract is changed for the past while readings flow: the bill is marked, and right once it has been settled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from deploy.kit.names import Names
from deploy.local.demo import running_job, wait_until_running
from deploy.local.endpoint import endpoint, free_port
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from flink_job.io.kinesis import publish
from flink_job.lake.database import query
from tests.harness.jobs import SAMPLES, command

NAMES = Names("contract-changes")
PRICES = {"a": "0.10", "b": "0.30"}
TIMEOUT_S = 120


def contract(*assigned: tuple[str, str]) -> bytes:
    assignments = [{"tariff_id": tariff, "valid_from": day} for tariff, day in assigned]
    place = {"meter_id": "m", "site_path": "f/p/l/m", "timezone": "UTC"}
    return json.dumps({**place, "assignments": assignments}).encode()


#: In force from the start, and then: tariff b has applied since 1 March.
BEFORE, AFTER = contract(("a", "2026-01-01")), contract(("a", "2026-01-01"), ("b", "2026-03-01"))


def readings(hours: Iterable[int]) -> list[bytes]:
    """Readings of 1 kWh on 10 March."""
    starts = (f"2026-03-10T{hour:02d}:00:00Z" for hour in hours)
    return [
        json.dumps({"meter_id": "m", "interval_start": start, "interval_s": 3600, "energy_kwh": 1}).encode()
        for start in starts
    ]


def wait(lake: LocalLake, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, lake.rows
        time.sleep(1)
        lake.refresh()


def bills(lake: Path) -> list[tuple[object, ...]]:
    return query(lake, "SELECT tariff_id, cost, status FROM bills ORDER BY tariff_id")[1]


def test_a_contract_that_is_changed_for_the_past_marks_the_bill_until_it_is_settled(tmp_path: Path) -> None:
    (tmp_path / "tariffs").mkdir()
    for name, price in PRICES.items():
        document = {"tariff_id": name, "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
        energy = {"energy": {"periods": {"all": [{"price": price}]}}}
        (tmp_path / "tariffs" / f"{name}.json").write_text(json.dumps(document | energy))
    with endpoint(tmp_path / "endpoint.log", free_port()) as url:
        create(NAMES, url, tmp_path / "tariffs", SAMPLES / "rules.yaml", shards=1)
        write_properties(
            tmp_path / "application_properties.json", NAMES, url, checkpoint_s=5, contracts_idle_s=2, idle_timeout_s=5
        )
        lake = LocalLake(NAMES, url, tmp_path / "lake")

        def send(stream: str, records: Iterable[bytes]) -> None:
            publish(stream, iter(records), lambda sent: None, url)

        send(NAMES.contracts, [BEFORE])
        with running_job(tmp_path) as job:
            wait_until_running(job, tmp_path, Console(quiet=True))
            send(NAMES.readings, readings(range(10)))
            wait(lake, lambda: lake.rows["costs"] == 10)
            assert bills(lake.folder) == [("a", Decimal(1), "open")]
            send(NAMES.contracts, [AFTER])
            wait(lake, lambda: lake.rows["contract_changes"] == 1)
            send(NAMES.readings, readings(range(10, 15)))
            wait(lake, lambda: lake.rows["costs"] == 15)
    # 10 kWh were priced at 0.10, and 5 kWh after the change at 0.30.
    assert bills(lake.folder) == [("a", Decimal(1), "contract changed"), ("b", Decimal("1.5"), "contract changed")]
    (tmp_path / "contracts.ndjson").write_bytes(AFTER)
    given = ["--contracts", tmp_path / "contracts.ndjson", "--tariffs", tmp_path / "tariffs"]
    command("settle", lake.folder, *given, "--changed")
    # All 15 kWh at 0.30; the month is not over.
    assert bills(lake.folder) == [("b", Decimal("4.5"), "open")]
    assert query(lake.folder, "SELECT COUNT(*) FROM unsettled_changes")[1] == [(0,)]
