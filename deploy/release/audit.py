"""Known vulnerabilities of what is deployed: `make audit`. Says what it could look up, and what it could not.

pip-audit asks PyPI's database. Where that cannot be reached, the bundled advisories (advisories.json) are asked, and
their age is printed: what they do not name is not known to be clean.
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
#: What runs in an account: the job, the functions, the image. The rest stays on a developer's machine.
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
#: Advisories for where no database is reached; whoever updates a lock looks the packages up again and sets `taken`.
BUNDLED = Path(__file__).with_name("advisories.json")
DEPLOYED = ("requirements/app.txt", "requirements/functions.txt", "requirements.txt")


class AuditError(RuntimeError):
    """The auditor did not answer."""


@dataclass
class Report:
    """What is known of the packages of a lock. `found`: package to the ids of its vulnerabilities."""

    looked_up: int = 0
    unknown: list[str] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)

    def lines(self, lock: str) -> Iterable[str]:
        """In words."""
        yield f"{lock}: {self.looked_up} packages looked up, {len(self.found)} with known vulnerabilities"
        for package, ids in self.found.items():
            yield f"  {package}: {', '.join(ids)}"
        if self.unknown:
            yield f"  not looked up, so nothing is known of them: {', '.join(self.unknown)}"


def read(answer: str) -> Report:
    """The report in pip-audit's JSON."""
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
    """A known vulnerability of the versions `affected` of a package. `accepted` is the reason why it is lived with."""

    package: str
    affected: str
    id: str
    severity: str
    summary: str
    aliases: Sequence[str] = ()
    accepted: str = ""


def bundled(today: date) -> tuple[list[Advisory], int]:
    """(the advisories that come with the project, their age in days)."""
    document = json.loads(BUNDLED.read_text(encoding="utf-8"))
    reasons = {(a["package"], a["id"]): a["reason"] for a in document["accepted"]}
    found = [Advisory(**a, accepted=reasons.get((a["package"], a["id"]), "")) for a in document["advisories"]]
    return found, (today - date.fromisoformat(document["taken"])).days


def pinned(lock: str) -> dict[str, str]:
    """Version by package of a lock."""
    return dict(_PIN.findall((PROJECT / lock).read_text(encoding="utf-8")))


def affecting(packages: Mapping[str, str], advisories: Iterable[Advisory]) -> list[Advisory]:
    """The advisories that concern pinned packages."""
    return [a for a in advisories if a.package in packages and packages[a.package] in SpecifierSet(a.affected)]


def main() -> int:
    """0 where all was looked up and is clean, 1 where something found is not accepted, 2 where some is not known."""
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
        print(f"The database was not reached for some; the bundled advisories are {days} days old.")
    return 1 if bad else 2 if unknown else 0


def _looked_up(lock: str) -> Report:
    """What pip-audit knows; nothing of any package where it does not answer."""
    try:
        return read(_ask(lock))
    except (AuditError, FileNotFoundError, ValueError):
        return Report(unknown=sorted(pinned(lock)))


def _ask(lock: str) -> str:
    line = [str(AUDITOR), "--disable-pip", "--require-hashes", "--format", "json", "--requirement", lock]
    answer = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    if not answer:
        raise AuditError(f"pip-audit did not answer for {lock}")
    return answer


if __name__ == "__main__":
    sys.exit(main())
