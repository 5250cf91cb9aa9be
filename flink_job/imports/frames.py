"""Frames between the process that reads an untrusted file and the one that started it."""

from __future__ import annotations

import struct

import msgspec

#: Number of a record in the file, from 1, and length of its payload, which follows.
FRAME = struct.Struct(">QI")
#: Numbers of the last frame: the file has been read, or cannot be read and the payload says why. Frames with the
#: third number are no records: the payload is a part of Said.
END, FAILED, SAID = 0, (1 << 64) - 1, (1 << 64) - 2
#: Subjects, notes and questions of a file that are kept.
_MOST = 200
#: Refused rows of a frame, and the highest number of them that is kept.
REFUSED, MAX_REFUSED = 1000, 100_000


class Said(msgspec.Struct):
    """Facts that the reader found out about an export; all empty for a file of readings.

    `understood` by subject, `notes` on what is remarkable, `refused`: rows (line, reason, text) and `more_refused`
    beyond MAX_REFUSED. `questions`: what the file leaves open, with the answer for each.
    """

    understood: dict[str, str] = {}
    notes: list[str] = []
    refused: list[tuple[int, str, str]] = []
    questions: dict[str, str] = {}
    more_refused: int = 0

    def add(self, other: Said) -> None:
        """Add what another frame says."""
        self.understood = dict([*self.understood.items(), *other.understood.items()][:_MOST])
        self.questions = dict([*self.questions.items(), *other.questions.items()][:_MOST])
        self.notes = [*self.notes, *other.notes][:_MOST]
        kept = other.refused[: max(0, MAX_REFUSED - len(self.refused))]
        self.refused += kept
        self.more_refused += len(other.refused) - len(kept) + other.more_refused
