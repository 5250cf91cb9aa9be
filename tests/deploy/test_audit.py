"""The audit does not take "could not be looked up" for "clean"."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.release.audit import DEPLOYED, read

ROOT = Path(__file__).resolve().parents[2]


def test_found_clean_and_unknown_are_three_things() -> None:
    report = read(
        json.dumps(
            {
                "dependencies": [
                    {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]},
                    {"name": "b", "version": "2", "vulns": []},
                    {"name": "c", "skip_reason": "not reached"},
                ]
            }
        )
    )
    assert (report.looked_up, report.unknown, report.found) == (2, ["c"], {"a 1": ["CVE-1", "CVE-2"]})
    said = "\n".join(report.lines("x.txt"))
    assert "CVE-1, CVE-2" in said
    assert "nothing is known of them: c" in said


@pytest.mark.parametrize("lock", DEPLOYED)
def test_what_is_deployed_is_locked_by_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==\S+ \\$", text, re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE))
