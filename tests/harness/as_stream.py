"""A run of files in which readings arrive at given times, so that windows close while readings still arrive.

`python -m tests.harness.as_stream FOLDER`: reads `readings.ndjson`, `arrivals.txt` (epoch ms of each line),
`contracts.ndjson` and `rules.yaml` of the folder, and writes its output to `out`. A process of its own, because it
replaces parts of the bounded run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from flink_job.batch import run as bounded
from flink_job.config import Job
from flink_job.dataflow.sources import READINGS
from tests.harness.jobs import SAMPLES, module, write_records

#: Watermark delay of the runs [s].
DELAY_S = 60


def run_as_stream(folder: Path, arrivals: Iterable[tuple[int, bytes]], contracts: Iterable[bytes], rules: str) -> Path:
    """Run the job over records with their times of arrival [epoch ms], in this order. Returns the output folder."""
    timed = sorted(arrivals, key=lambda arrival: arrival[0])
    write_records(folder / "readings.ndjson", (record for _, record in timed))
    (folder / "arrivals.txt").write_text("\n".join(str(at) for at, _ in timed), encoding="utf-8")
    write_records(folder / "contracts.ndjson", contracts)
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    module("tests.harness.as_stream", folder)
    return folder / "out"


def _main(folder: Path) -> None:
    times = [int(line) for line in (folder / "arrivals.txt").read_text(encoding="utf-8").split()]
    stage = bounded.stage

    def stage_with_arrivals(inputs: Any, target: Path, *more: Any) -> int:
        count = stage(inputs, target, *more)
        if target.parent.name == READINGS:
            records = [msgspec.json.decode(line) for line in target.read_bytes().splitlines()]
            lines = [msgspec.json.encode({**r, "arrival_ms": at}) for r, at in zip(records, times, strict=True)]
            target.write_bytes(b"\n".join(lines) + b"\n")
        return count

    bounded.stage = stage_with_arrivals  # type: ignore[assignment]
    bounded.WATERMARK_DELAY_S = DELAY_S
    settings = bounded.batch_settings(str(SAMPLES / "tariffs"), str(folder / "rules.yaml"), Job())
    files = [[str(folder / f"{name}.ndjson")] for name in ("readings", "contracts")]
    bounded.run_bounded(files[0], files[1], settings, folder / "out", lambda *_: None)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
