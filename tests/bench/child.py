"""One Flink job of the bench, in a JVM of its own: `python -m tests.bench.child NAME FOLDER METERS READINGS`."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from flink_job.config import Job
from flink_job.dataflow.environment import create_environment, mini_cluster
from tests.bench import jobs
from tests.bench.data import Input
from tests.bench.latency_job import latency_job
from tests.bench.naive import naive

BUILDERS = {
    "whole": jobs.whole,
    "alerts": jobs.with_alerts,
    "bound": jobs.bound,
    "bound-plain": jobs.bound_written_plainly,
    "naive": lambda t_env, data, job: naive(t_env, data),
    **{f"until-{stage}": jobs.until(view) for stage, view in jobs.STAGES.items()},
}


def main(
    name: str,
    folder: Path,
    meters: int,
    readings: int,
    state_dir: Path,
    backend: Annotated[str, typer.Option(help="rocksdb or hashmap.")] = "rocksdb",
    parallelism: int = 1,
    rest_port: int = 0,
    checkpoint_s: int = 60,
    later: Annotated[Path | None, typer.Option(help="A folder to watch for readings; the job does not end.")] = None,
    rate: Annotated[int, typer.Option(help="Readings a second, of `latency` alone.")] = 0,
    option: Annotated[list[str] | None, typer.Option(help="key=value of Flink's configuration.")] = None,
    job_option: Annotated[list[str] | None, typer.Option(help="key=value of the job's settings.")] = None,
) -> None:
    """Run a job to its end and print its duration as JSON [s]."""
    given = dict(text.split("=", 1) for text in job_option or [])
    job = dataclasses.replace(
        Job(parallelism=parallelism, checkpoint_s=checkpoint_s), **{k: int(v) for k, v in given.items()}
    )
    local = mini_cluster(job, state_dir)
    local.set_string("rest.port", str(rest_port))
    local.set_string("state.backend.type", backend)
    for key, value in (text.split("=", 1) for text in option or []):
        local.set_string(key, value)
    t_env = create_environment(job, local)
    data = Input(folder, meters, readings, later)
    started = time.monotonic()
    if name == "latency":
        latency_job(t_env, data, job, rate, state_dir.parent / "latency").execute().wait()
    else:
        BUILDERS[name](t_env, data, job).execute().wait()
    print(json.dumps({"seconds": time.monotonic() - started}))


if __name__ == "__main__":
    sys.exit(typer.run(main))
