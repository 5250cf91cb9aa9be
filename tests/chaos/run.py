"""One run: the package on a real cluster, a load at a steady rate, a fault, and the outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import json
import shutil
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any

from deploy.kit.names import SNAPSHOT, Names
from deploy.local.alerting import LocalAlerting, change_environment, create_alerting, received, sweep
from deploy.local.demo import alerts_in_stream
from deploy.local.endpoint import endpoint, free_port
from deploy.rehearsal.cluster import Cluster, wait_for
from deploy.rehearsal.fixture import ClusterFixture, runs, set_up
from deploy.stream_job.package import PACKAGE
from flink_job.dataflow.environment import PROJECT
from flink_job.io.contract_snapshot import snapshot_lines, stored_record
from flink_job.io.kinesis import client
from tests.bench.progress import descendants
from tests.chaos.faults import Fault, workers
from tests.chaos.kinesis import create_stream, kinesalite
from tests.chaos.loads import Load
from tests.chaos.outcome import Outcome, delivered_changes, live_changes
from tests.chaos.proxy import Proxy, proxied

LIMIT_S, CONTRACTS_S, DELIVERY_S, MESSAGES_S, SETTLE_S, SWEEPS_S, LOOKS = 240.0, 5.0, 2.0, 5.0, 60.0, 90.0, 5
OUTCOME = "outcome.json"
#: A stateful Python operator may hang or crash the JVM on cancellation, because its state is closed during a call. A
#: hanging TaskManager exits after this timeout instead of three minutes; it is started again, as the service does.
CANCELLATION = {"task.cancellation.timeout": 20_000}
#: The rehearsal checks the options that a program may set. Here the check is off: Flink mistakes options of the cluster
#: for changes by the program if their units differ.
ANY_PROGRAM = {"execution.program-config.enabled": True}
ROUTES = {
    "recipients": {"crew": {"sns": "{fifo_topic}", "tokens": 100_000, "refill_s": 1, "group_s": 0}},
    "routes": [{"site": "*", "to": ["crew"]}],
}


@dataclass
class Run:
    """A run in progress; `job` is the id of the current job, which changes at a restart."""

    fixture: ClusterFixture
    cluster: Cluster
    job: str
    proxy: Proxy
    peak_mib: int = 0
    revived: int = 0
    #: Times at which faults struck, by name [s].
    marks: dict[str, float] = field(default_factory=dict)

    def wait_until_healthy(self) -> float:
        """Wait until every operator is running in LOOKS consecutive polls; returns the seconds."""
        started, looks = time.monotonic(), 0
        while looks < LOOKS and time.monotonic() - started < LIMIT_S:
            self._note_memory()
            self.revive()
            try:
                well = runs(self.cluster, self.job)
            except OSError:
                well = False
            looks = looks + 1 if well else 0
            time.sleep(0.5)
        return max(0.0, time.monotonic() - started - LOOKS * 0.5)

    def stop_with_savepoint(self) -> str:
        """Stop the job with a savepoint; returns its path."""
        target = {"targetDirectory": (self.fixture.work / "savepoints").as_uri(), "drain": False}
        trigger = self._post(f"/jobs/{self.job}/stop", target)["request-id"]
        found: dict[str, Any] = {}

        def done() -> bool:
            found.update(self.cluster.get(f"/jobs/{self.job}/savepoints/{trigger}"))
            return bool(found["status"]["id"] == "COMPLETED")

        wait_for(done, "the savepoint is not complete", self.fixture.work)
        self.cluster.wait_for_slots()
        return str(found["operation"]["location"])

    def last_checkpoint(self) -> str:
        """Path of the last complete checkpoint; waits for the first."""
        found: list[str] = []

        def done() -> bool:
            completed = self.cluster.get(f"/jobs/{self.job}/checkpoints")["latest"]["completed"]
            if completed:
                found.append(str(completed["external_path"]))
            return bool(found)

        wait_for(done, "no checkpoint is complete", self.fixture.work)
        return found[-1]

    def wait_for_place(self) -> None:
        """Wait for a checkpoint that started after the first cost: it contains positions in the readings stream."""
        delivery = self.fixture.delivery
        wait_for(lambda: delivery.refresh() and delivery.rows["costs"], "no cost has come out", self.fixture.work)
        since_ms = time.time() * 1000

        def holds_it() -> bool:
            completed = self.cluster.get(f"/jobs/{self.job}/checkpoints")["latest"]["completed"]
            return bool(completed and completed["trigger_timestamp"] >= since_ms)

        wait_for(holds_it, "no further checkpoint is complete", self.fixture.work)

    def wait_for_output(self) -> None:
        """Wait for costs after the last checkpoint; a restart writes them twice."""
        last, since, rows = "", time.monotonic(), 0

        def written() -> bool:
            nonlocal last, since, rows
            self.fixture.delivery.refresh()
            found = self.fixture.delivery.rows["costs"]
            if last != (last := self.last_checkpoint()):
                since = time.monotonic()
            if time.monotonic() - since < DELIVERY_S:  # rows until then may precede the checkpoint
                rows = found
            return found > rows

        wait_for(written, "no cost has come out after a checkpoint", self.fixture.work)

    def restarts(self) -> int:
        found = self.cluster.get(f"/jobs/{self.job}/metrics?get=numRestarts")
        return int(float(found[0]["value"])) if found else -1

    def revive(self) -> None:
        """Start the TaskManager again if it has exited, as the service does."""
        process = self.cluster.processes.get("taskmanager.sh")
        if process is not None and process.poll() is not None:
            self.cluster.restart("taskmanager.sh")
            self.revived += 1

    def _post(self, path: str, document: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.cluster.rest}{path}",
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _note_memory(self) -> None:
        """Record the resident memory of the TaskManager and its children."""
        process = self.cluster.processes.get("taskmanager.sh")
        total = 0
        for pid in descendants(process.pid) if process else ():
            with contextlib.suppress(OSError, IndexError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        self.peak_mib = max(self.peak_mib, total >> 20)


def run(
    fault: Fault,
    work: Path,
    count: int,
    rate: int,
    sabotage: Callable[[ClusterFixture], None] = lambda fixture: None,
    limit_s: float = LIMIT_S,
    package: Path = PACKAGE,
) -> Outcome:
    """Publish `count` records of the sample at `rate` per second while the fault is injected, and check the outcome.

    `sabotage` changes the package or its settings before the start. `limit_s` is the time limit for all records to
    arrive.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    load, started = fault.load(count), time.monotonic()
    outcome = Outcome(fault.name, _version(), reordered=fault.reorders)
    if fault.quiet_shard:
        load = _without_last_quarter(load)
    with _deployed(fault, load, work, package) as (fixture, proxy):
        sabotage(fixture)
        alerting = create_alerting(fixture.stacks, ROUTES) if _notifies(fault) else None
        if alerting and fault.pager:
            change_environment(fixture.url, alerting.functions["notifier"], AWS_ENDPOINT_URL_SNS=proxy.url)
        parallel = {"parallelism.default": fault.slots, "taskmanager.numberOfTaskSlots": fault.slots}
        with fixture.cluster(**parallel, **CANCELLATION, **ANY_PROGRAM, **fault.flink) as cluster:
            running = Run(fixture, cluster, fixture.submit(cluster), proxy)
            time.sleep(CONTRACTS_S)
            fault.prepare(running)
            publisher = Thread(target=_paced, args=(fixture, load.records, rate), daemon=True)
            publisher.start()
            proxy.dose = fault.proxied
            outcome.hits = fault.act(running)
            time.sleep(3)  # the cluster may detect the last strike only after seconds
            outcome.healthy_after_s = running.wait_until_healthy()
            while publisher.is_alive():
                running.revive()
                publisher.join(1)
            proxy.dose = fault.proxied if fault.pager else None  # alerts follow their readings
            outcome.published = fixture.feed(load.records, len(load.records), limit_s, running.revive)
            running.wait_until_healthy()
            if alerting:
                _settle(fixture)
            outcome.violated = fault.check(running)
            if alerting:
                _settle(fixture)
            outcome.restarts, outcome.peak_mib = running.restarts(), running.peak_mib
            outcome.revived = running.revived
        time.sleep(MESSAGES_S)
        proxy.dose = None
        outcome.orphans, outcome.trouble = len(workers(work)), dict(proxy.done)
        outcome.harmless = fault.proxied is not None and not proxy.done
        messages = _messages(fixture, alerting) if alerting else []
    repeats = [load.records[0]] * (outcome.published - len(load.records))
    load = replace(load, records=load.records + repeats)
    outcome.look(load, fault.truth(load, work / "truth"), work / "lake")
    if alerting:
        outcome.look_at_messages(messages, work / "lake")
    outcome.seconds = time.monotonic() - started
    (work / OUTCOME).write_text(json.dumps(dataclasses.asdict(outcome)), encoding="utf-8")
    return outcome


def _notifies(fault: Fault) -> bool:
    """True if people are notified of alerts. The endpoint's functions do not read kinesalite's streams."""
    return fault.notifies and not fault.kinesalite


def _version() -> str:
    return str(tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def _settle(fixture: ClusterFixture) -> None:
    """Wait until all alerts, which follow their readings, are in the lake and in the stream."""
    deadline, before = time.monotonic() + SETTLE_S, None
    while time.monotonic() < deadline:
        fixture.delivery.refresh()
        live = live_changes(fixture.work / "lake")
        if live == before and live <= alerts_in_stream(fixture.names, fixture.url):
            return
        before = live
        time.sleep(MESSAGES_S)


def _messages(fixture: ClusterFixture, alerting: LocalAlerting) -> list[dict[str, Any]]:
    """Notifications that were sent. The sweeper retries failed ones after their lease has expired."""
    deadline, found = time.monotonic() + SWEEPS_S, received(fixture.url, alerting.inbox)
    fixture.delivery.refresh()
    while live_changes(fixture.work / "lake") - delivered_changes(found).keys() and time.monotonic() < deadline:
        sweep(fixture.url, alerting)
        time.sleep(3)
        found += received(fixture.url, alerting.inbox)
    return found


@contextlib.contextmanager
def _deployed(fault: Fault, load: Load, work: Path, package: Path) -> Iterator[tuple[ClusterFixture, Proxy]]:
    """A deployment whose streams are behind the proxy."""
    names = Names("chaos")
    with contextlib.ExitStack() as stack:
        url = streams = stack.enter_context(endpoint(work / "endpoint.log", free_port()))
        if fault.kinesalite:
            streams = stack.enter_context(kinesalite(work / "kinesalite.log"))
            for name, shards in ((names.readings, fault.shards), (names.contracts, 1), (names.alerts, 1)):
                create_stream(streams, name, shards)
        proxy = stack.enter_context(proxied({"*": url, "Kinesis": streams}))
        triggers = ("notifier",) if _notifies(fault) else ()
        options = {"shards": fault.shards, "triggers": triggers}
        # Half of the contracts are only in the snapshot: after a fault they must be in the restored state.
        # Readings wait for contracts at every restart: not until the load has ended.
        fixture = set_up(work, names, url, load.contracts[::2], package, streams, options, contracts_idle_s=2)
        _store(fixture, load.contracts[1::2])
        fixture.change(**{group: {"endpoint": proxy.url} for group in ("readings", "contracts", "outputs")})
        fixture.change(**fault.properties)
        yield fixture, proxy


def _store(fixture: ClusterFixture, contracts: list[bytes]) -> None:
    """Write a snapshot of contracts, as the exporter does."""
    lines = snapshot_lines(stored_record(document, int(time.time() * 1000), "1") for document in contracts)
    registry = client("s3", fixture.url)
    registry.put_object(Bucket=fixture.names.registry, Key=SNAPSHOT, Body=gzip.compress(b"".join(lines)))


def _paced(fixture: ClusterFixture, records: list[bytes], rate: int) -> None:
    due = time.monotonic()
    for start in range(0, len(records), rate):
        fixture.publish(records[start : start + rate])
        due += 1
        time.sleep(max(0.0, due - time.monotonic()))


def _without_last_quarter(load: Load) -> Load:
    """Only records whose partition key is in the first three quarters of the hash key range."""

    def kept(record: bytes) -> bool:
        try:
            meter = str(json.loads(record)["meter_id"])
        except (ValueError, KeyError, TypeError):
            meter = "unknown"
        return hashlib.md5(meter.encode(), usedforsecurity=False).digest()[0] < 192

    records = [record for record in load.records if kept(record)]
    return replace(
        load, records=records, rejected=type(load.rejected)({r: n for r, n in load.rejected.items() if kept(r)})
    )
