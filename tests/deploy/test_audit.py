"""The audit does not take "could not be looked up" for "clean"."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from deploy.release.audit import DEPLOYED, Advisory, affecting, bundled, pinned, read

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
    assert "status unknown: c" in said


@pytest.mark.parametrize("lock", DEPLOYED)
def test_what_is_deployed_is_locked_by_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==\S+ \\$", text, re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE))


@pytest.mark.parametrize("lock", DEPLOYED)
def test_no_known_vulnerability_is_deployed_but_accepted_ones(lock: str) -> None:
    """Those of the bundled advisories, without a database: the gate cannot reach one everywhere."""
    advisories, _ = bundled(date(2026, 11, 27))
    assert [(a.package, a.id) for a in affecting(pinned(lock), advisories) if not a.accepted] == []


def test_an_advisory_concerns_the_versions_that_it_names() -> None:
    advisory = Advisory("pyarrow", ">=0.14.0,<14.0.1", "CVE-2023-47248", "critical", "runs code")
    assert affecting({"pyarrow": "11.0.0"}, [advisory]) == [advisory]
    assert affecting({"pyarrow": "14.0.1"}, [advisory]) == []
    assert affecting({"pandas": "11.0.0"}, [advisory]) == []


def test_the_age_of_the_bundled_advisories_is_known() -> None:
    advisories, days = bundled(date(2026, 12, 7))
    assert days >= 10
    # The pinned pyarrow runs code of foreign files: it is named, with the reason why it can be lived with.
    [found] = [a for a in advisories if a.id == "CVE-2023-47248"]
    assert found.severity == "critical"
    assert "DuckDB" in found.accepted
