"""Entry point of the streaming job: loads the settings and starts the dataflow."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flink_job.config import Settings, load_settings, properties_path
from flink_job.logs import configure_logging
from flink_job.sentry import destination_from_settings, report_errors

if TYPE_CHECKING:
    from pyflink.table import StatementSet, StreamTableEnvironment

log = logging.getLogger(__name__)

#: Environment variable that is set on a developer's machine, as in the samples of AWS.
LOCAL_VARIABLE = "IS_LOCAL"
POLL_S = 0.5


def main() -> None:
    """Submit the job on Managed Flink and return; with IS_LOCAL, run it on a mini-cluster."""
    configure_logging()
    settings = load_settings(properties_path())
    with report_errors(destination_from_settings(settings).resolve_dsn(), "main"):
        if os.environ.get(LOCAL_VARIABLE):
            run_local(settings, Path("build/state"))
        else:
            submit(settings)


def submit(settings: Settings) -> None:
    """Start the job on the cluster on which this program runs."""
    from flink_job.dataflow.environment import create_environment
    from flink_job.dataflow.gateway import one_jvm_thread
    from flink_job.dataflow.submission import start

    with one_jvm_thread():
        t_env = create_environment(settings.job)
        start(t_env, statements(t_env, settings), settings.job.name)


def run_local(settings: Settings, state_dir: Path, savepoint: str = "") -> None:
    """Run the job on a mini-cluster until a signal stops it with a savepoint.

    SIGTERM drains the job: it advances the watermark to its end, emits all windows and delivers all rows. SIGUSR1 stops
    it without draining, to be restored from the savepoint. The path of the savepoint is written to
    `state_dir`/savepoint. `savepoint` is the path of the savepoint to restore, if any.
    """
    from flink_job.dataflow.environment import create_environment, mini_cluster
    from flink_job.dataflow.gateway import one_jvm_thread
    from flink_job.dataflow.submission import start

    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda received, _: asked.append(received))
    with one_jvm_thread():
        t_env = create_environment(settings.job, mini_cluster(settings.job, state_dir, savepoint))
        client = start(t_env, statements(t_env, settings), settings.job.name)
    log.info("running", extra={"job_id": str(client.get_job_id())})
    while not asked:
        if client.get_job_status().result().name not in ("CREATED", "RUNNING", "INITIALIZING"):
            client.get_job_execution_result().result()
            return
        time.sleep(POLL_S)
    drain = asked[0] == signal.SIGTERM
    path = client.stop_with_savepoint(drain, (state_dir / "savepoints").as_uri()).result()
    (state_dir / "savepoint").write_text(path, encoding="utf-8")
    log.info("stopped", extra={"savepoint": path, "drained": drain})


def statements(t_env: StreamTableEnvironment, settings: Settings) -> StatementSet:
    """Define the dataflow between the Kinesis sources and Firehose sinks of the settings; returns its statements."""
    from flink_job.dataflow.pipeline import define_pipeline
    from flink_job.dataflow.sinks import firehose_sinks
    from flink_job.dataflow.sources import CONTRACTS, READINGS, alerts_source, kinesis_source, tick_source
    from udfs import job_functions

    sources = [
        kinesis_source(READINGS, settings.readings),
        kinesis_source(CONTRACTS, settings.contracts),
        tick_source(),
        *([alerts_source(settings.outputs)] if settings.outputs.alerts_stream else []),
    ]
    return define_pipeline(t_env, sources, firehose_sinks(settings.outputs), job_functions(settings), settings)


if __name__ == "__main__":
    main()
