"""`make audit`: checks deployed packages against databases of known vulnerabilities, and lists those not checked.

pip-audit queries PyPI's database. If it cannot be reached, the bundled advisories (advisories.json) are used and their
age is printed. A package that the bundled advisories do not mention is not known to be free of vulnerabilities.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parents[2]
AUDITOR = PROJECT / ".venv-audit" / "bin" / "pip-audit"
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
#: Advisories for use without a database. After updating a lock file, look up its packages and set `taken`.
BUNDLED = Path(__file__).with_name("advisories.json")
#: Lock files of what runs in an account: the job, the functions, the image.
DEPLOYED = ("requirements/app.txt", "requirements/functions.txt", "requirements.txt")


class AuditError(RuntimeError):
    """pip-audit printed no report."""


@dataclass
class Report:
    """Result for the packages of a lock file. `found` maps packages to ids of their vulnerabilities."""

    looked_up: int = 0
    unknown: list[str] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)

    def lines(self, lock: str) -> Iterable[str]:
        """Lines for people."""
        yield f"{lock}: {self.looked_up} packages looked up, {len(self.found)} with known vulnerabilities"
        for package, ids in self.found.items():
            yield f"  {package}: {', '.join(ids)}"
        if self.unknown:
            yield f"  not looked up, status unknown: {', '.join(self.unknown)}"


def read(answer: str) -> Report:
    """Parse pip-audit's JSON report."""
    report = Report()
    for dependency in json.loads(answer)["dependencies"]:
        name = f"{dependency['name']} {dependency.get('version', '')}".strip()
        if "skip_reason" in dependency:
            report.unknown.append(name)
            continue
        report.looked_up += 1
        if dependency["vulns"]:
            report.found[name] = [v["id"] for v in dependency["vulns"]]
    return report


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of the versions `affected` of a package; `accepted` is why the risk is accepted."""

    package: str
    affected: str
    id: str
    severity: str
    summary: str
    aliases: Sequence[str] = ()
    accepted: str = ""


def bundled(today: date) -> tuple[list[Advisory], int]:
    """(bundled advisories, their age in days)."""
    document = json.loads(BUNDLED.read_text(encoding="utf-8"))
    reasons = {(a["package"], a["id"]): a["reason"] for a in document["accepted"]}
    found = [Advisory(**a, accepted=reasons.get((a["package"], a["id"]), "")) for a in document["advisories"]]
    return found, (today - date.fromisoformat(document["taken"])).days


def pinned(lock: str) -> dict[str, str]:
    """Versions by package of a lock file."""
    return dict(_PIN.findall((PROJECT / lock).read_text(encoding="utf-8")))


def affecting(packages: Mapping[str, str], advisories: Iterable[Advisory]) -> list[Advisory]:
    """The advisories that affect pinned packages."""
    return [a for a in advisories if a.package in packages and packages[a.package] in SpecifierSet(a.affected)]


def main() -> int:
    """Exit code: 0 if all packages are clean, 1 for a vulnerability that is not accepted, 2 for unknown packages."""
    advisories, days = bundled(datetime.now(UTC).date())
    accepted = {known for a in advisories if a.accepted for known in (a.id, *a.aliases)}
    bad = unknown = False
    for lock in DEPLOYED:
        report = _looked_up(lock)
        print("\n".join(report.lines(lock)))
        bad |= any(set(ids) - accepted for ids in report.found.values())
        unknown |= bool(report.unknown) or not report.looked_up
        for advisory in affecting(pinned(lock), advisories):
            bad |= not advisory.accepted
            print(f"  {advisory.package}: {advisory.id} ({advisory.severity}): {advisory.summary}")
            print(
                f"    {'accepted: ' + advisory.accepted if advisory.accepted else 'NOT ACCEPTED: update the package'}"
            )
    if unknown:
        print(f"Some packages could not be looked up in a database; the bundled advisories are {days} days old.")
    return 1 if bad else 2 if unknown else 0


def _looked_up(lock: str) -> Report:
    """Report of pip-audit; all packages are unknown if it fails."""
    try:
        return read(_ask(lock))
    except (AuditError, FileNotFoundError, ValueError):
        return Report(unknown=sorted(pinned(lock)))


def _ask(lock: str) -> str:
    line = [str(AUDITOR), "--disable-pip", "--require-hashes", "--format", "json", "--requirement", lock]
    answer = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    if not answer:
        raise AuditError(f"pip-audit printed no report for {lock}")
    return answer


if __name__ == "__main__":
    sys.exit(main())
