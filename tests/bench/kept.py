"""Stored results, one line per run: an interrupted benchmark loses nothing, a part can be measured again, and the page
is generated from the stored results.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kept:
    """Results of the parts `runs`, `growth` and `latency` in a folder, which also has inputs and logs."""

    work: Path

    @property
    def path(self) -> Path:
        return self.work / "runs.ndjson"

    def add(self, part: str, record: dict[str, Any]) -> None:
        """Append a result."""
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"part": part, "result": record}) + "\n")

    def of(self, part: str) -> list[dict[str, Any]]:
        """Return the results of a part in the order in which they were added."""
        return [line["result"] for line in self._all() if line["part"] == part]

    def grouped(self, part: str, column: str) -> Mapping[Any, list[dict[str, Any]]]:
        """Return the results of a part by the value of a column, each in the order of its turns."""
        found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for record in self.of(part):
            found[record[column]].append(record)
        return found

    def forget(self, part: str, which: Callable[[dict[str, Any]], bool] = lambda record: True) -> None:
        """Drop results of a part that is about to be measured again."""
        left = [line for line in self._all() if line["part"] != part or not which(line["result"])]
        self.path.write_text("".join(json.dumps(line) + "\n" for line in left), encoding="utf-8")

    def _all(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
