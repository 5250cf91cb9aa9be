"""Reason codes: every code that the job writes is documented."""

from __future__ import annotations

import re
from pathlib import Path

from flink_job.metering.reasons import Rejection, Unpriced

PROJECT = Path(__file__).resolve().parents[3]


def test_codes_are_unique_and_documented() -> None:
    codes = [*Rejection, *Unpriced]
    assert len({str(code) for code in codes}) == len(codes)
    assert all(code.doc for code in codes)


def test_reasons_in_sql_are_codes() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "flink_job").rglob("*.sql")]
    found = {code for text in texts for code in re.findall(r"\breason (?:=|<>) '(\w+)'|'(\w+)' AS reason\b", text)}
    named = {code for pair in found for code in pair if code}
    assert named
    assert named <= {str(code) for code in (*Rejection, *Unpriced)}
