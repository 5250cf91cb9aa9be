"""Questions that a file leaves open: all are asked at once, with the option that answers each."""

from __future__ import annotations

from dataclasses import dataclass, field

from flink_job.imports.model import FileError


class UndecidedError(FileError):
    """A file that can be read in two ways; the message has every question with its answers."""


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
            raise UndecidedError(f"{self.name}: nothing was written, because the file leaves open:\n{lines}")
