"""Cost of alert rules: `python -m tests.bench.alerts compare`.

The same readings without rules, and with 50 rules for every meter. One reading in a thousand breaches a limit. The
difference of two sizes excludes start-up.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from flink_job.batch.run import batch_settings, run_bounded
from flink_job.config import Job
from tests.harness.jobs import SAMPLES

METERS = 1000
INTERVAL_S = 300
START_MS = 1_772_582_400_000
LIMIT = 100
CHANNELS = ("temperature", "vibration", "power_kw", "cost", "speed")


def write_input(folder: Path, readings: int) -> None:
    """Readings of METERS meters in order of time, their contracts, and fifty rules for every meter."""
    random.seed(1)
    with (folder / f"readings-{readings}.ndjson").open("w") as out:
        for number in range(readings):
            hot = random.random() < 0.001
            values = {
                "import": 0.5,
                "temperature": LIMIT + 5 if hot else round(random.uniform(40, 70), 1),
                "vibration": 1.5,
                "speed": 1450,
            }
            start = START_MS + number // METERS * INTERVAL_S * 1000
            meter = f"m-{number % METERS:05d}"
            record = {"meter_id": meter, "interval_start": start, "interval_s": INTERVAL_S, "values": values}
            out.write(json.dumps(record) + "\n")
    assigned = [{"tariff_id": "eur-tou", "valid_from": "2026-01-01"}]
    with (folder / "contracts.ndjson").open("w") as out:
        for number in range(METERS):
            meter = f"m-{number:05d}"
            contract = {"meter_id": meter, "site_path": f"f/p/l{number % 20}/{meter}", "timezone": "Europe/Madrid"}
            out.write(json.dumps({**contract, "assignments": assigned}) + "\n")
    rules = [
        {
            "rule_id": f"r{n}",
            "signal": CHANNELS[n % len(CHANNELS)],
            "severity": "major",
            "when": f"> {LIMIT + n // len(CHANNELS)}" if CHANNELS[n % 5] != "speed" else f"> {3000 + n}",
            "clear_for": "15m",
            "horizon": "3650d",
        }
        for n in range(50)
    ]
    (folder / "rules.yaml").write_text(json.dumps({"rules": rules}))


def timed(folder: Path, readings: int, rules: bool, bundle_ms: int) -> tuple[float, int]:
    """(seconds, alert rows) of a run in this process."""
    settings = batch_settings(
        str(SAMPLES / "tariffs"), str(folder / "rules.yaml") if rules else "", Job(python_bundle_ms=bundle_ms)
    )
    started = time.monotonic()
    account = run_bounded(
        [str(folder / f"readings-{readings}.ndjson")], [str(folder / "contracts.ndjson")], settings, folder / "out",
        lambda phase, count: None,
    )  # fmt: skip
    assert account.closes
    return time.monotonic() - started, account.rows["alerts"]


app = typer.Typer()


@app.command(hidden=True)
def one(folder: Path, readings: int, bundle_ms: int, rules: bool = False) -> None:
    """One run, in a JVM of its own."""
    print(json.dumps(timed(folder, readings, rules, bundle_ms)))


@app.command()
def compare(
    small: Annotated[int, typer.Option(help="Readings of the small size.")] = 200_000,
    large: Annotated[int, typer.Option(help="Readings of the large size.")] = 600_000,
    bundle_ms: Annotated[int, typer.Option(help="The job's python_bundle_ms.")] = Job().python_bundle_ms,
) -> None:
    """Print readings a second without and with rules, and their ratio."""
    rates = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for size in (small, large):
            write_input(folder, size)
        for rules in (False, True):
            runs = {size: _run(folder, size, rules, bundle_ms) for size in (small, large)}
            rates[rules] = (large - small) / (runs[large][0] - runs[small][0])
            shown = ", ".join(f"{size:,}: {s:.1f} s, {rows} alert rows" for size, (s, rows) in runs.items())
            print(f"{'50 rules' if rules else 'no rules'}: {rates[rules]:,.0f} readings/s ({shown})", flush=True)
    print(f"with rules / without: {rates[True] / rates[False]:.2f}")


def _run(folder: Path, size: int, rules: bool, bundle_ms: int) -> tuple[float, int]:
    arguments = [str(folder), str(size), str(bundle_ms), "--rules" if rules else "--no-rules"]
    line = [sys.executable, "-m", "tests.bench.alerts", "one", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    seconds, rows = json.loads(done.stdout.splitlines()[-1])
    return seconds, rows


if __name__ == "__main__":
    app()
