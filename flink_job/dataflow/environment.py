"""The table environment: what the job sets itself, and what only a local mini-cluster needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.table import EnvironmentSettings, StreamTableEnvironment

from flink_job.config import Job
from flink_job.errors import MeteringError

PROJECT = Path(__file__).resolve().parents[2]
#: Two cores spend most of a short run compiling. On 93,000 readings this made 27 s of 65; on 298,000, 84 s of 69.
SHORT_RUN_JVM_ARGS = "-XX:TieredStopAtLevel=1"
CONNECTOR_JAR = PROJECT / "build" / "flink-dependencies.jar"
#: RocksDB options that the job runs faster with. Some thirty stateful operators share the memory, so with bigger write
#: buffers each would flush all the time. Bigger blocks are fewer, and LZ4 unpacks faster than Snappy. A file's index is
#: one block unless it is partitioned: from a million intervals on it finds no place in the cache, and each look-up
#: unpacks it. And most look-ups are for an interval of which nothing is known yet: a filter says so without reading.
ROCKSDB_TUNING = {
    "state.backend.rocksdb.writebuffer.size": "8 mb",
    "state.backend.rocksdb.block.blocksize": "16 kb",
    "state.backend.rocksdb.compression.per.level": "LZ4_COMPRESSION",
    "state.backend.rocksdb.memory.partitioned-index-filters": "true",
    "state.backend.rocksdb.use-bloom-filter": "true",
}


class MissingJarError(MeteringError, RuntimeError):
    """The connector jar has not been built."""


def create_environment(job: Job, local: Configuration | None = None) -> StreamTableEnvironment:
    """The environment of a job; `local` adds the settings of a mini-cluster, which Managed Flink sets itself.

    Without `local` only keys are set that Managed Flink lets a program set: it may refuse a job that sets others. The
    tuning is not among them: it is set only where the job's `request_tuning` says that the service permits it.
    """
    configuration = local or Configuration()
    if local is not None or job.request_tuning:
        for key, value in tuning(job).items():
            configuration.set_string(key, value)
    configuration.set_string("table.local-time-zone", "UTC")
    configuration.set_string("table.exec.source.idle-timeout", f"{job.idle_timeout_s} s")
    configuration.set_string("pipeline.max-parallelism", str(job.max_parallelism))
    configuration.set_string("pipeline.name", job.name)
    configuration.set_string("pipeline.object-reuse", "true")
    stream_env = StreamExecutionEnvironment.get_execution_environment(configuration)
    stream_env.set_runtime_mode(RuntimeExecutionMode.STREAMING)
    if local is not None:
        stream_env.set_parallelism(job.parallelism)
    return StreamTableEnvironment.create(stream_env, EnvironmentSettings.in_streaming_mode())


def tuning(job: Job) -> dict[str, str]:
    """Options that affect throughput only: bundles of the Python functions, and RocksDB."""
    return {
        "python.fn-execution.bundle.size": str(job.python_bundle_size),
        "python.fn-execution.bundle.time": str(job.python_bundle_ms),
        "python.fn-execution.arrow.batch.size": str(job.python_bundle_size),
        **ROCKSDB_TUNING,
    }


def mini_cluster(job: Job, state_dir: Path, savepoint: str = "", short: bool = False) -> Configuration:
    """Settings of a mini-cluster on this machine: RocksDB and checkpoints as on Managed Flink.

    Resumes from `savepoint` where given. A `short` run lets the JVM compile less. Prepares the JVM's environment, so it
    comes before anything starts a JVM. Raises MissingJarError where the connector jar has not been built.
    """
    if not CONNECTOR_JAR.is_file():
        raise MissingJarError(f"{CONNECTOR_JAR} is missing: run 'make setup'")
    # Emulators speak JSON only; both generations of the AWS SDK read this before they start.
    os.environ.setdefault("CBOR_ENABLED", "false")
    os.environ.setdefault("AWS_CBOR_DISABLE", "true")
    log_dir = state_dir / "log"
    log_dir.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("FLINK_LOG_DIR", str(log_dir))
    if short:
        os.environ.setdefault("JVM_ARGS", SHORT_RUN_JVM_ARGS)
    configuration = Configuration()
    settings = {
        "pipeline.jars": CONNECTOR_JAR.as_uri(),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "state.backend.type": "rocksdb",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.dir": (state_dir / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (state_dir / "savepoints").as_uri(),
        "execution.checkpointing.interval": f"{job.checkpoint_s} s",
        "execution.checkpointing.min-pause": "1 s",
        "restart-strategy.type": "none",
        "taskmanager.memory.managed.size": "1 gb",
        "taskmanager.memory.network.max": "256 mb",
        "rest.bind-address": "127.0.0.1",
        "rest.port": "0",
    }
    if savepoint:
        settings["execution.savepoint.path"] = savepoint
    for key, value in settings.items():
        configuration.set_string(key, value)
    return configuration
