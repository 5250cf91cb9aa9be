"""Questions that a file leaves open: all are asked at once, with the option that answers each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flink_job.imports.model import FileError

#: Options of `import` that answer a question, and the key of a map that does.
_KEYS = {
    "--timezone": "timezone: Europe/Madrid",
    "--standard-time": "fixed_offset: true",
    "--stamp": "stamp: begin, or stamp: end",
    "--meter": "meter_id: NAME",
    "--interval": "interval: 15min",
    "--unit": "unit: kWh",
    "--kind": "kind: register, or kind: interval",
    "--decimal": 'csv: {decimal: ","} or csv: {decimal: "."}',
    "--time-format": "time: {format: '%d/%m/%Y %H:%M'}",
}


class UndecidedError(FileError):
    """A file that can be read in two ways; the message has every question with its answers."""

    def __init__(self, message: str, questions: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.questions = questions or {}


def in_map(answer: str) -> str:
    """Return the keys of a map that answer what the options in `answer` do; without an option, the answer as it is."""
    keys = [_KEYS[option] for option in dict.fromkeys(re.findall(r"--[a-z-]+", answer)) if option in _KEYS]
    return "; or ".join(keys) or answer


@dataclass
class Questions:
    """Questions on a file, and what was found out about it."""

    name: str
    asked: dict[str, str] = field(default_factory=dict)

    def ask(self, what: str, answer: str) -> None:
        """Add a question and how to answer it."""
        self.asked.setdefault(what, answer)

    def require(self) -> None:
        """Raise UndecidedError if there are questions."""
        if self.asked:
            lines = "\n".join(f"  {what}: {answer}" for what, answer in self.asked.items())
            why = f"{self.name}: nothing was written, because the file leaves open:\n{lines}"
            raise UndecidedError(why, dict(self.asked))
