"""Reason codes: every code that the job writes is documented."""

from __future__ import annotations

import re
from pathlib import Path

from flink_job.metering.reasons import SENSOR, Rejection, Unpriced

PROJECT = Path(__file__).resolve().parents[3]


def test_codes_are_unique_and_documented() -> None:
    codes = [*Rejection, *Unpriced]
    assert len({str(code) for code in codes}) == len(codes)
    assert all(code.doc for code in codes)


def test_reasons_in_sql_are_codes() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "flink_job").rglob("*.sql")]
    found = {code for text in texts for code in re.findall(r"\breason (?:=|<>) '(\w+)'|'(\w+)' AS reason\b", text)}
    lists = [listed for text in texts for listed in re.findall(r"\breason (?:NOT )?IN \(([^)]*)\)", text)]
    named = {code for pair in found for code in pair if code} | set(re.findall(r"'(\w+)'", " ".join(lists)))
    assert named
    assert named <= {str(code) for code in (*Rejection, *Unpriced, SENSOR)}
