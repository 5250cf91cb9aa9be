"""The bounded run from files to Parquet, and the account of its records."""

from __future__ import annotations

import dataclasses
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flink_job.batch.account import counted_readings
from flink_job.batch.collect import collect
from flink_job.batch.snapshot import write_snapshot
from flink_job.config import ContractSource, Job, Outputs, Settings, StreamSource, Tariffs
from flink_job.io.records import stage
from flink_job.metering.framing import reading_count
from flink_job.schemas import ACCOUNTED
from flink_job.tenants import DEFAULT

#: Outcomes of readings that are of no use in themselves.
UNUSED = ("rejected", "unpriced", "duplicates")


@dataclass(frozen=True)
class Account:
    """Number of readings of a run, and of rows by output; for those of ACCOUNTED, the number of readings."""

    read: int
    rows: dict[str, int]

    @property
    def closes(self) -> bool:
        """Whether read = costs + duplicates + measurements (of sensors) + rejected + unpriced."""
        return self.read == sum(self.rows[name] for name in ACCOUNTED)

    def fault(self, max_rejected: float | None = None) -> str:
        """Return the reason why the run is of no use, or an empty text.

        `max_rejected`: share of rejected readings above which it is [%].
        """
        if not self.read:
            return "no reading was given"
        if not sum(self.rows[name] for name in ACCOUNTED if name not in UNUSED):
            outcomes = ", ".join(f"{self.rows[name]:,} {name}" for name in UNUSED if self.rows[name])
            return f"none of {self.read:,} readings has a cost: {outcomes}"
        share = 100 * self.rows["rejected"] / self.read
        if max_rejected is not None and share > max_rejected:
            return f"{share:.3g} % of the readings were rejected, more than {max_rejected:g} % (--max-rejected)"
        return ""


#: Number of readings below which a run ends before optimising JIT compilation pays off.
SHORT_RUN = 200_000

#: Longer than the time span of any input, so that no reading of a bounded run is late.
WATERMARK_DELAY_S = 100 * 365 * 86_400

Report = Callable[[str, int], None]
"""Called with what is being done and how far it is (records, or rows)."""


def batch_settings(tariffs: str, rules: str, job: Job, tenant: str = DEFAULT) -> Settings:
    """Return settings for a run without streams; readings and contracts without a tenant belong to `tenant`."""
    sources = StreamSource(stream="-", tenant=tenant), ContractSource(stream="-", tenant=tenant)
    outputs = Outputs("-", "-", "-", "-", "-", "-", "-", "-", "-")
    return Settings(*sources, outputs, Tariffs(uri=tariffs, rules_uri=rules, keep_copies=False), job)


def run_bounded(
    inputs: Sequence[str], contracts: Sequence[str], settings: Settings, output: Path, report: Report
) -> Account:
    """Price the records of `inputs`, in file order, and write Parquet files under `output`.

    Every reading is in `costs`, `duplicates`, `rejected` or `unpriced`, or in `measurements` if it is a sensor's.
    Raises InputError if a file cannot be read.
    """
    from flink_job.dataflow.environment import create_environment, mini_cluster
    from flink_job.dataflow.gateway import one_jvm_thread
    from flink_job.dataflow.pipeline import define_pipeline
    from flink_job.dataflow.sinks import file_sinks
    from flink_job.dataflow.sources import CONTRACTS, READINGS, staged_source, tick_source
    from flink_job.dataflow.submission import start
    from udfs import job_functions

    # One subtask, so that readings arrive in file order. KPI windows are emitted at the end of the input, so that they
    # contain every reading, in any order of the files.
    job = dataclasses.replace(settings.job, parallelism=1, watermark_delay_s=WATERMARK_DELAY_S)
    settings = dataclasses.replace(settings, job=job)
    with tempfile.TemporaryDirectory(prefix="meter-costing-") as name:
        work = Path(name)
        arrival_ms = int(time.time() * 1000)
        records = work / READINGS / "records.json"
        read = stage(inputs, records, arrival_ms, lambda n: report("staged", n), reading_count)
        # All contracts are in the snapshot, so they are known before the first reading.
        read_contracts = stage(contracts, work / CONTRACTS / "records.json", 0, lambda n: None)
        stored = work / "contracts.ndjson.gz"
        write_snapshot(work / CONTRACTS / "records.json", stored, settings.contracts.tenant, arrival_ms)
        report("contracts", read_contracts)
        known = dataclasses.replace(settings.contracts, snapshot_uri=stored.as_uri(), snapshot_is_complete=True)
        settings = dataclasses.replace(settings, contracts=known)
        tenants = {READINGS: settings.readings.tenant, CONTRACTS: settings.contracts.tenant}
        staged = [staged_source(table, work / table, tenant) for table, tenant in tenants.items()]
        sources = [*staged, tick_source(bounded=True)]
        with one_jvm_thread():
            t_env = create_environment(settings.job, mini_cluster(settings.job, work / "state", short=read < SHORT_RUN))
            statements = define_pipeline(t_env, sources, file_sinks(work / "rows"), job_functions(settings), settings)
            report("running", 0)
            running = start(t_env, statements, settings.job.name)
        running.get_job_execution_result().result()
        # The Python functions ran in this process and froze its objects (udfs/worker_memory.py).
        gc.unfreeze()
        rows = collect(work / "rows", output, report)
        return Account(read, rows | {name: counted_readings(name, output / name) for name in ACCOUNTED})
