"""`python -m deploy.local`: the job with a local AWS endpoint."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.local.demo import SAMPLES, DemoError, records_of, run_demo
from deploy.local.endpoint import EndpointError, endpoint, free_port
from deploy.local.latency import measure, report
from deploy.local.summary import print_summary
from flink_job.dataflow.environment import PROJECT

app = typer.Typer(
    help="Run the job with a local AWS endpoint.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
#: Exit code of a program interrupted by Ctrl-C.
INTERRUPTED = 130
console = Console() if sys.stdout.isatty() else Console(width=120)


@app.command()
def run(
    readings: Annotated[Path, typer.Option(help="NDJSON file of readings, plain or .gz.")] = SAMPLES
    / "readings.ndjson.gz",
    contracts: Annotated[Path, typer.Option(help="NDJSON file of contracts.")] = SAMPLES / "contracts.ndjson",
    port: Annotated[int, typer.Option(help="Port of the endpoint. 0: LocalStack's port, 4566.")] = 0,
    work: Annotated[Path, typer.Option(help="Folder of the run; its content is deleted first.")] = Path("build/run"),
) -> None:
    """Run the whole path on sample readings.

    Publishes readings to Kinesis, runs the job, and summarizes the rows delivered by Firehose. Set AWS_ENDPOINT_URL to
    use an existing endpoint.

    \b
      python -m deploy.local run
    """
    started = time.monotonic()
    try:
        with endpoint(PROJECT / "build" / "endpoint.log", port or None) as url:
            delivery, messages = run_demo(url, work.resolve(), readings, contracts, console)
            firehose = delivery.received()
    except (EndpointError, DemoError, ClientError, BotoCoreError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    published = sum(1 for _ in records_of(readings))
    seconds = time.monotonic() - started
    if not print_summary(console, work / "lake", published, delivery.account(), messages, firehose, seconds):
        raise typer.Exit(1)


@app.command()
def up(port: Annotated[int, typer.Option(help="Port of the endpoint. 0: LocalStack's port, 4566.")] = 0) -> None:
    """Serve the local endpoint until Ctrl-C.

    \b
      python -m deploy.local up
    """
    try:
        with endpoint(PROJECT / "build" / "endpoint.log", port or None) as url:
            console.print(f"Serving {url}. In another terminal: export AWS_ENDPOINT_URL={url}")
            signal.pause()
    except EndpointError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None


@app.command()
def latency(
    alerts: Annotated[int, typer.Option(help="Number of alerts.")] = 100,
    pause_s: Annotated[float, typer.Option(help="Seconds between alerts.")] = 0.5,
    work: Annotated[Path, typer.Option(help="Folder of the run; its content is deleted first.")] = Path(
        "build/latency"
    ),
) -> None:
    """Measure the time from a reading to its message.

    Publishes readings above a limit and waits for their notifications in a queue.

    \b
      python -m deploy.local latency --alerts 20
    """
    shutil.rmtree(work, ignore_errors=True)
    try:
        with endpoint(PROJECT / "build" / "endpoint.log", free_port()) as url:
            for line in report(measure(url, work.resolve(), alerts, pause_s, console)):
                console.print(line, highlight=False)
    except (EndpointError, DemoError, ClientError, BotoCoreError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupted)
    code = app(standalone_mode=False) or 0
    if code == INTERRUPTED:
        console.print("Interrupted; all processes were stopped")
    sys.exit(code)
