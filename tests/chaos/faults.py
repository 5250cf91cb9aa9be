"""The faults: action, dose and load."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.demo import SAMPLES
from flink_job.io.kinesis import client
from tests.chaos import kinesis
from tests.chaos.edits import (
    FURTHER,
    MOVED_FROM,
    RULES_REFRESH_S,
    edit_rules,
    misplaced,
    publish_moves,
    publish_older,
    put_rules,
    unended,
)
from tests.chaos.kinds import KindsTruth, kinds, put_documents, unshared
from tests.chaos.loads import Load, clean, disordered, duplicated, poisoned, skewed
from tests.chaos.proxy import Dose
from tests.chaos.truth import Truth, of_sample

if TYPE_CHECKING:
    from tests.chaos.run import Run

WORKER = "pyflink.fn_execution.beam.beam_boot"
#: A later version of a sample tariff with different prices.
_FLAT = json.loads((SAMPLES / "tariffs" / "eur-flat.json").read_text(encoding="utf-8"))
NEW_FLAT = {
    **_FLAT,
    "version": "chaos-2",
    "valid_from": MOVED_FROM,
    "energy": {"periods": {name: [{"price": "0.2345"}] for name in _FLAT["energy"]["periods"]}},
}


@dataclass(frozen=True)
class Fault:
    """A fault.

    `act` is called with the run while records are published; it returns the number of strikes. `prepare` is called
    before the first reading, `check` after the last one, and returns what does not hold. `proxied` is the dose of the
    proxy, `number` the number in docs/why/chaos.md, `flink` has options of the cluster. With `pager` the notifier's
    calls go through the proxy too; without `notifies` there is no notifier. With `reorders` a reading and its
    correction may arrive in either order. With several `slots` the readings of a meter are processed in parallel and
    reach its bill in an order that may differ after a restart. `truth` says what must come of the load.
    """

    name: str
    number: str
    doc: str
    dose: str
    act: Callable[[Run], int] = lambda run: 0
    proxied: Dose | None = None
    load: Callable[[int], Load] = clean
    shards: int = 1
    kinesalite: bool = False
    quiet_shard: bool = False
    pager: bool = False
    notifies: bool = True
    reorders: bool = False
    slots: int = 2
    truth: Callable[[Load, Path], Truth] = of_sample
    properties: Mapping[str, dict[str, str]] = field(default_factory=dict)
    flink: Mapping[str, object] = field(default_factory=dict)
    prepare: Callable[[Run], None] = lambda run: None
    check: Callable[[Run], list[str]] = lambda run: []


def workers(work: Path) -> list[int]:
    """Process ids of the Python workers of a job, selected by its work folder."""
    found = subprocess.run(["pgrep", "-f", WORKER], capture_output=True, text=True, check=False)
    return [pid for pid in map(int, found.stdout.split()) if _runs_in(pid, work)]


def _runs_in(pid: int, work: Path) -> bool:
    with contextlib.suppress(OSError):
        return f"FLINK_LOG_DIR={work / 'log'}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def kill_task_manager(run: Run) -> None:
    """Kill the TaskManager and its Python workers, and start another, as the service does."""
    run.cluster.restart("taskmanager.sh")


def kill_workers(run: Run) -> None:
    """Kill the Python workers but not the TaskManager."""
    for pid in workers(run.fixture.work):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_in_checkpoint(run: Run) -> None:
    """Kill the TaskManager during a checkpoint."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, KeyError):
            if run.cluster.get(f"/jobs/{run.job}/checkpoints")["counts"]["in_progress"]:
                break
        time.sleep(0.01)
    kill_task_manager(run)


def kill_job_manager(run: Run) -> None:
    """Kill all processes, and start the job again from the last complete checkpoint, as the service does."""
    last = run.last_checkpoint()
    for script in ("jobmanager.sh", "taskmanager.sh"):
        run.cluster.restart(script)
    run.cluster.wait_for_slots()
    run.job = run.fixture.submit(run.cluster, last)


def upgrade(run: Run) -> None:
    """Stop the job with a savepoint and start it from the savepoint in a new TaskManager, as the service does."""
    savepoint = run.stop_with_savepoint()
    run.cluster.restart("taskmanager.sh")
    run.cluster.wait_for_slots()
    run.job = run.fixture.submit(run.cluster, savepoint)


def reshard(run: Run) -> None:
    """Split a shard and merge two."""
    kinesis.split(run.fixture.streams, run.fixture.names.readings)
    time.sleep(2)
    kinesis.merge(run.fixture.streams, run.fixture.names.readings)


def reshard_and_kill(run: Run) -> None:
    reshard(run)
    kill_task_manager(run)


def new_version(run: Run) -> None:
    """Add a tariff version to the registry of the running job, and kill the TaskManager before the job reads it.

    No reading has been priced by then; priced readings would retain their price.
    """
    body = json.dumps(NEW_FLAT).encode()
    key = "tariffs/eur-flat-chaos.json"
    client("s3", run.fixture.url).put_object(Bucket=run.fixture.names.registry, Key=key, Body=body)
    kill_task_manager(run)


def republish(run: Run) -> None:
    publish_older(run)
    kill_task_manager(run)


def move(run: Run) -> None:
    publish_moves(run)
    kill_task_manager(run)
    # The first one counts: the second publishes the same.
    run.marks.setdefault("moved", time.time())


def edit_rules_and_kill(run: Run) -> int:
    """Edit the rules and kill the TaskManager on each edit, so that readings are processed again under other rules."""
    return edit_rules(run, lambda: kill_task_manager(run))


def times(count: int, pause_s: float, strike: Callable[[Run], None]) -> Callable[[Run], int]:
    """Strike `count` times, waiting `pause_s` seconds and for a healthy job before each."""

    def act(run: Run) -> int:
        for _ in range(count):
            time.sleep(pause_s)
            run.wait_until_healthy()
            strike(run)
        return count

    return act


#: So seldom that rules are edited, and raise alerts, between two checkpoints.
SELDOM = {"execution.checkpointing.interval": "20 s"}
FAULTS = {
    fault.name: fault
    for fault in (
        Fault("none", "", "nothing: the control", ""),
        Fault("task_manager", "1, 20", "kill -9 of the TaskManager and its workers", "4, 8 s after each recovery",
              times(4, 8, kill_task_manager)),
        Fault("workers", "2", "kill -9 of the Python workers", "4, 8 s after each recovery", times(4, 8, kill_workers)),
        Fault("job_manager", "2", "kill -9 of everything; started again from the last checkpoint", "2",
              times(2, 12, kill_job_manager)),
        Fault("in_checkpoint", "3", "kill -9 of the TaskManager while a checkpoint is made", "3",
              times(3, 8, kill_in_checkpoint)),
        Fault("throttled", "4", "throttled calls; single records of batches refused", "30 % of calls, 10 % of records",
              proxied=Dose(throttled=0.3, failed_records=0.1)),
        Fault("broken", "5", "500, reset, response lost after the call, 30 s stall", "5 %, 5 %, 5 %, 0.2 % of calls",
              proxied=Dose(server_error=0.05, reset=0.05, answer_lost=0.05, stalled=0.002)),
        Fault("reshard", "6", "shards split and merged, and the TaskManager killed on that", "3 of each",
              times(3, 4, reshard_and_kill), shards=2, kinesalite=True, reorders=True),
        Fault("idle_shard", "7", "one shard of four is silent: windows close all the same", "1 of 4",
              shards=4, quiet_shard=True),
        Fault("duplicates", "8", "every record one to five times, up to a day apart", "all", load=duplicated),
        Fault("disorder", "9", "minutes, hours, two days late", "20 %, 5 %, 1 %", load=disordered),
        Fault("poison", "10", "bad JSON, NaN, 1e308, wrong unit, 1 MB, bad UTF-8, newer schema ...", "1 %",
              load=poisoned),
        Fault("clocks", "11", "1970, 2038, 29 February, no offset; clocks an hour ahead or behind", "1 %; 5 %, 5 %",
              load=skewed),
        Fault("firehose", "18", "records of Firehose batches refused, whole batches throttled", "10 %, 10 %",
              proxied=Dose(throttled=0.1, failed_records=0.1, calls=("PutRecordBatch",))),
        Fault("tariff_version", "19", "a tariff's next version, and kills on that and later",
              "1 kill before, 3 in the load", times(3, 8, kill_task_manager), prepare=new_version,
              truth=partial(of_sample, more=(NEW_FLAT,)), properties={"tariffs": {"refresh_s": "1"}}),
        Fault("pager", "20", "SNS answers 500 or loses the response after the call, and the TaskManager is killed",
              "30 %, 20 % of messages; 2 kills", times(2, 6, kill_task_manager),
              proxied=Dose(server_error=0.3, answer_lost=0.2, calls=("Publish",)), pager=True),
        Fault("old_contracts", "22", "an older contract of every meter again, with those of others; TaskManager killed",
              f"3 times, with {FURTHER:,} others", times(3, 8, republish)),
        Fault("moves", "23", "every meter moves to another line, and the TaskManager killed", "2 of each",
              times(2, 8, move), check=misplaced),
        Fault("rule_edits", "24", "rules are narrowed or removed once they have raised alerts; TaskManager killed",
              "3 of each; all removed at the end", edit_rules_and_kill, check=unended,
              prepare=lambda run: put_rules(run, "half"), flink=SELDOM,
              properties={"tariffs": {"rules_refresh_s": str(RULES_REFRESH_S)}}),
        Fault("tariff_kinds", "25", "kill -9 under 20 kinds of tariff, each of a meter and of two supplies",
              "3, 8 s after each recovery", times(3, 8, kill_task_manager), load=kinds, truth=KindsTruth, reorders=True,
              prepare=put_documents, check=unshared, properties={"tariffs": {"refresh_s": "1"}}),
        Fault("upgrade", "21", "stopped with a savepoint, the package started from it", "2", times(2, 8, upgrade)),
    )
}  # fmt: skip
