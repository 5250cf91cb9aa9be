"""Program that reads an untrusted file: the file is its standard input, frames are its standard output.

An export of a portal or logger becomes readings here, by a map or by its profile.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from flink_job.errors import MeteringError
from flink_job.imports.accept import NoExportError, readings_of
from flink_job.imports.fields import Unknown
from flink_job.imports.frames import END, FAILED, FRAME, SAID, Said
from flink_job.imports.summary import said_of
from flink_job.imports.write import numbered
from flink_job.io.records import records_in
from flink_job.metering.bounds import MAX_LINE_BYTES

if TYPE_CHECKING:
    from flink_job.imports.convert import Imported

#: Argument of prctl(2).
_SET_NO_NEW_PRIVILEGES = 38


def _give_up_rights() -> None:
    """Forbid this process to gain privileges, and let the kernel end it first if memory runs out (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def main(name: str, stated: str = "") -> None:
    """Write the records of the file on the standard input, by a map or else by its content and `name`."""
    _give_up_rights()
    out = sys.stdout.buffer

    def write(number: int, payload: bytes) -> None:
        out.write(FRAME.pack(number, len(payload)) + payload)

    try:
        result = _export(name, stated, write)
        if result is None:
            sys.stdin.buffer.seek(0)
            unknown = Unknown()
            records = unknown.watched(records_in(name, sys.stdin.buffer))
        else:
            records = numbered(result.rows)
        for number, payload in records:
            write(number, payload)
        for said in [Said(notes=unknown.lines(name))] if result is None else said_of(result):
            write(SAID, msgspec.json.encode(said))
        write(END, b"")
    except MeteringError as error:
        if questions := getattr(error, "questions", None):
            write(SAID, msgspec.json.encode(Said(questions=questions)))
        write(FAILED, str(error).removeprefix(name).encode("utf-8", "replace")[:MAX_LINE_BYTES])


def _export(name: str, stated: str, write: Callable[[int, bytes], None]) -> Imported | None:
    """Return the readings of an export, or None; why a file without a known header is none is said."""
    try:
        return readings_of(name, sys.stdin.buffer, stated)
    except NoExportError as error:
        write(SAID, msgspec.json.encode(Said(notes=[str(error)])))
        return None


if __name__ == "__main__":
    main(*sys.argv[1:3])
