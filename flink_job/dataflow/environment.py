"""The table environment: the settings of the job, and those of a mini-cluster on this machine."""

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
#: With two cores most of a short run is JIT compilation: with these options 93,000 readings take 27 s instead of 65 s,
#: but 298,000 take 84 s instead of 69 s.
SHORT_RUN_JVM_ARGS = "-XX:TieredStopAtLevel=1"
CONNECTOR_JAR = PROJECT / "build" / "flink-dependencies.jar"
#: RocksDB options that increase throughput. Some thirty stateful operators share the memory, so with larger write
#: buffers each would flush all the time. Larger blocks are fewer, and LZ4 decompresses faster than Snappy. The index of
#: a file is one block unless it is partitioned: from a million intervals on it does not fit into the cache, and each
#: lookup decompresses it. Most lookups are for an interval without state: a Bloom filter answers them without a read.
ROCKSDB_TUNING = {
    "state.backend.rocksdb.writebuffer.size": "8 mb",
    "state.backend.rocksdb.block.blocksize": "16 kb",
    "state.backend.rocksdb.compression.per.level": "LZ4_COMPRESSION",
    "state.backend.rocksdb.memory.partitioned-index-filters": "true",
    "state.backend.rocksdb.use-bloom-filter": "true",
}


class MissingJarError(MeteringError, RuntimeError):
    """The jar of connectors and operators has not been built."""


def create_environment(job: Job, local: Configuration | None = None) -> StreamTableEnvironment:
    """The environment of a job; `local` are the settings of a mini-cluster, which Managed Flink sets itself.

    Without `local` only keys are set that Managed Flink permits; it may refuse a job that sets others. The tuning is
    not among them, so it is set only if the job's `request_tuning` is set.
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
    """Options that affect throughput only: bundles of Python functions, and RocksDB. Managed Flink may ignore them."""
    return {
        "python.fn-execution.bundle.size": str(job.python_bundle_size),
        "python.fn-execution.bundle.time": str(job.python_bundle_ms),
        "python.fn-execution.arrow.batch.size": str(job.python_bundle_size),
        **ROCKSDB_TUNING,
    }


def mini_cluster(job: Job, state_dir: Path, savepoint: str = "", short: bool = False) -> Configuration:
    """Settings of a mini-cluster on this machine: RocksDB and checkpoints as on Managed Flink.

    The job is restored from `savepoint`, if given. In a `short` run the JVM compiles less. Sets environment variables
    of the JVM, so call it before a JVM is started. Raises MissingJarError if the jar has not been built.
    """
    if not CONNECTOR_JAR.is_file():
        raise MissingJarError(f"{CONNECTOR_JAR} is missing: run 'make setup'")
    # Local endpoints support JSON only; both generations of the AWS SDK read this when they are loaded.
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
        # A cluster that is killed leaves hundreds of megabytes here.
        "io.tmp.dirs": str(state_dir / "tmp"),
        "rest.bind-address": "127.0.0.1",
        "rest.port": "0",
    }
    if savepoint:
        settings["execution.savepoint.path"] = savepoint
    for key, value in settings.items():
        configuration.set_string(key, value)
    return configuration
