"""One limit per input: every reader of records has the bounds of the stream."""

from __future__ import annotations

import re
from pathlib import Path

from flink_job.config import Job
from flink_job.metering.bounds import MAX_FUTURE_S, MAX_RECORD_BYTES

PROJECT = Path(__file__).resolve().parents[3]
#: Calls of the parser with a limit that is not a named constant or setting: such as 1000 in the third argument.
LITERAL_LIMIT = re.compile(r"parse_reading\([^()]*(?:\([^()]*\)[^()]*)*\b(?!1000\b)\d[\d_]{3,}")


def test_the_settings_default_to_the_shared_limits() -> None:
    assert (Job().max_record_bytes, Job().max_future_s) == (MAX_RECORD_BYTES, MAX_FUTURE_S)


def test_every_reader_of_records_has_the_shared_limit() -> None:
    callers = [path for folder in ("flink_job", "udfs", "deploy") for path in (PROJECT / folder).rglob("*.py")]
    texts = {path: text for path in callers if "parse_reading(" in (text := path.read_text(encoding="utf-8"))}
    assert len(texts) > 5
    for path, text in texts.items():
        assert not LITERAL_LIMIT.search(text), path
        assert path.name == "reading.py" or "MAX_RECORD_BYTES" in text or "max_record_bytes" in text, path
