"""Two halves of a stream with a savepoint between them, each at a local endpoint of its own.

A stream has sequence numbers that grow with time, so a job that resumes from a savepoint reads what another, later
endpoint receives after it.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import signal
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from deploy.kit.names import Names
from deploy.local.demo import records_of, running_job, wait_until_running
from deploy.local.endpoint import endpoint, free_port
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from flink_job.io.kinesis import publish
from flink_job.lake.database import query
from flink_job.schemas import ACCOUNTED
from tests.harness.jobs import SAMPLES

KEPT = Path(__file__).parent / "kept"
RECORDS, HALF = 3_000, 1_500
#: Published before the rest, until the operators that join contracts have them.
AHEAD = 20
#: A contract that is rejected once all contracts before it have been read.
PROBE = b'{"meter_id": "probe"}'
NAMES = Names("kept")
#: The savepoint is older than any time-to-live in production.
STATE_DAYS = 36_500
TIMEOUT_S = 240
CHARGES = ("energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")

Bills = dict[tuple[Any, ...], tuple[Decimal, ...]]


class HalfError(RuntimeError):
    """The job did not read its half of the records; the message says where its log is."""


@dataclass
class Half:
    """Results of one half: bills by supply point, cycle start, tariff and version, records by outcome, and the keys of
    the windows of lines, processes and factories that were emitted.
    """

    bills: Bills
    accounted: dict[str, int]
    windows: frozenset[str]

    def __add__(self, other: Half) -> Half:
        bills = dict(self.bills)
        for key, amounts in other.bills.items():
            before = bills.get(key, (Decimal(0),) * len(amounts))
            bills[key] = tuple(a + b for a, b in zip(before, amounts, strict=True))
        accounted = dict(Counter(self.accounted) + Counter(other.accounted))
        return Half(bills, accounted, self.windows | other.windows)

    def write(self, path: Path, **noted: str) -> None:
        """As JSON, with what else is `noted`."""
        bills = [[*map(str, key), *map(str, amounts)] for key, amounts in sorted(self.bills.items(), key=str)]
        document = {**noted, "accounted": self.accounted, "windows": sorted(self.windows), "bills": bills}
        path.write_text(json.dumps(document, separators=(",", ":")).replace("],[", "],\n["), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Half:
        document = json.loads(path.read_text(encoding="utf-8"))
        bills = {tuple(row[:4]): tuple(map(Decimal, row[4:])) for row in document["bills"]}
        return cls(bills, document["accounted"], frozenset(document["windows"]))


def in_order_of_arrival(records: list[bytes]) -> list[bytes]:
    """The records of both halves. The second half begins with its oldest readings, of windows emitted before."""
    return records[:HALF] + sorted(records[HALF:RECORDS], key=_start)


def _start(record: bytes) -> str:
    """Beginning of the interval of a reading, the end of time for other records."""
    try:
        return str(json.loads(record)["interval_start"])
    except (ValueError, KeyError, TypeError):
        return "9999"


def first_half(folder: Path, records: list[bytes]) -> tuple[Half, Path]:
    """Run the first half from contracts on; returns what it came to, and the savepoint."""
    with _stream(folder) as (url, delivery):
        contracts = [*records_of(SAMPLES / "contracts.ndjson"), PROBE]
        publish(NAMES.contracts, iter(contracts), lambda sent: None, url)
        with running_job(folder) as job:
            wait_until_running(job, folder, Console(quiet=True))
            _wait(job, folder, lambda: _rejected(delivery) >= 1, "the contracts were not read")
            publish(NAMES.readings, iter(records[:AHEAD]), lambda sent: None, url)
            _wait(job, folder, lambda: _delivered(delivery) > AHEAD // 2, "the first readings were not costed")
            publish(NAMES.readings, iter(records[AHEAD:HALF]), lambda sent: None, url)
            _wait(job, folder, lambda: _delivered(delivery) > HALF * 0.9, "the readings were not costed")
            _wait_until_quiet(delivery)
            _stop(job, folder, signal.SIGUSR1)
        _wait_until_quiet(delivery)
        return _came_to(delivery), Path((folder / "state" / "savepoint").read_text().removeprefix("file:"))


def second_half(folder: Path, records: list[bytes], savepoint: Path) -> Half:
    """Run the second half from a savepoint on. Raises HalfError where the job cannot resume from it."""
    with _stream(folder) as (url, delivery):
        with running_job(folder, "--savepoint", savepoint.as_uri()) as job:
            wait_until_running(job, folder, Console(quiet=True))
            publish(NAMES.readings, iter(in_order_of_arrival(records)[HALF:]), lambda sent: None, url)
            # Readings without a contract wait for later arrivals: the drain lets the last of them go.
            _wait(job, folder, lambda: _delivered(delivery) > (RECORDS - HALF) * 0.9, "nothing was costed")
            _wait_until_quiet(delivery)
            _stop(job, folder, signal.SIGTERM)
        _wait_until_quiet(delivery)
        return _came_to(delivery)


def pack(savepoint: Path, archive: Path) -> None:
    """Compress a savepoint."""
    with lzma.open(archive, "wb", preset=9) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(savepoint.iterdir()):
            tar.add(path, arcname=path.name)


def unpack(archive: Path, folder: Path) -> Path:
    """The savepoint of an archive, in `folder`."""
    with tarfile.open(archive, mode="r:xz") as tar:
        tar.extractall(folder, filter="data")
    return folder


@contextlib.contextmanager
def _stream(folder: Path) -> Iterator[tuple[str, LocalLake]]:
    with endpoint(folder / "endpoint.log", free_port()) as url:
        create(NAMES, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=1)
        write_properties(
            folder / "application_properties.json",
            NAMES,
            url,
            watermark_delay_s=900,
            idle_timeout_s=10,
            checkpoint_s=5,
            state_days=STATE_DAYS,
        )
        yield url, LocalLake(NAMES, url, folder / "lake")


def _delivered(delivery: LocalLake) -> int:
    delivery.refresh()
    return delivery.accounted


def _rejected(delivery: LocalLake) -> int:
    """Rows, not readings: contracts are among them."""
    delivery.refresh()
    return sum(pq.read_metadata(path).num_rows for path in (delivery.folder / "rejected").glob("**/*.parquet"))


def _wait(job: subprocess.Popen[bytes], folder: Path, condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if job.poll() is not None:
            raise HalfError(f"the job has ended with {job.returncode}: {otherwise}; see {folder}/job.log")
        if time.monotonic() > deadline:
            raise HalfError(f"{otherwise} within {TIMEOUT_S} s; see {folder}/job.log")
        time.sleep(0.5)


def _wait_until_quiet(delivery: LocalLake, quiet_s: float = 6) -> None:
    """Until nothing more is delivered: the local delivery streams flush every second."""
    last = time.monotonic()
    while time.monotonic() - last < quiet_s:
        if delivery.refresh():
            last = time.monotonic()
        time.sleep(0.5)


def _stop(job: subprocess.Popen[bytes], folder: Path, number: int) -> None:
    job.send_signal(number)
    if job.wait(120):
        raise HalfError(f"the job was not stopped: it ended with {job.returncode}; see {folder}/job.log")


def _came_to(delivery: LocalLake) -> Half:
    sums = ", ".join(f"SUM({charge})" for charge in CHARGES)
    keys = "COALESCE(supply_point, meter_id), CAST(cycle_start AS DATE), tariff_id, tariff_version"
    sql = f"SELECT {keys}, {sums} FROM costs GROUP BY ALL"
    _, rows = query(delivery.folder, sql)
    account = delivery.account()
    emitted = "SELECT DISTINCT kpi_id FROM kpis_rows WHERE level <> 'meter' AND emission = 'on_time'"
    windows = frozenset(str(key) for [key] in query(delivery.folder, emitted)[1])
    bills = {tuple(map(str, row[:4])): tuple(Decimal(str(amount)) for amount in row[4:]) for row in rows}
    return Half(bills, {name: account[name] for name in ACCOUNTED}, windows)
