"""Known vulnerabilities of what is deployed: `make audit`. Says what it could look up, and fails where that is nothing.

pip-audit asks PyPI's database. Where that cannot be reached nothing is known, which is not the same as nothing found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
AUDITOR = PROJECT / ".venv-audit" / "bin" / "pip-audit"
#: What runs in an account: the job, the functions, the image. The rest stays on a developer's machine.
DEPLOYED = ("requirements-app.txt", "requirements-functions.txt", "requirements.txt")


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


def main() -> int:
    """0 where everything was looked up and is clean, 1 where something was found, 2 where nothing is known of some."""
    try:
        reports = {lock: read(_ask(lock)) for lock in DEPLOYED}
    except AuditError as error:
        print(error, file=sys.stderr)
        return 2
    for lock, report in reports.items():
        print("\n".join(report.lines(lock)))
    if any(report.found for report in reports.values()):
        return 1
    return 2 if any(report.unknown for report in reports.values()) else 0


def _ask(lock: str) -> str:
    line = [str(AUDITOR), "--disable-pip", "--require-hashes", "--format", "json", "--requirement", lock]
    return (
        subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False).stdout or '{"dependencies":[]}'
    )


if __name__ == "__main__":
    sys.exit(main())
