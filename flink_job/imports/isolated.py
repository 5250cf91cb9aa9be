"""Reads an untrusted file in a process of its own, which has no credentials.

Readers of files run native code (decompression, Parquet) on untrusted bytes. If a file exploits a fault there, the code
that it runs has no credentials in its environment, cannot read the memory of this process, and is what the kernel ends
first if memory runs out. The caller parses what it returns as records of the tenant of the file.

The reader is `reader_process`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from flink_job.imports.frames import END, FAILED, FRAME, SAID, Said
from flink_job.io.records import InputError
from flink_job.metering.bounds import MAX_HEADER_BYTES, MAX_LINE_BYTES, MAX_STAGED_BYTES

#: Longest payload: a line of a CSV file, preceded by its header.
_MAX_PAYLOAD = MAX_LINE_BYTES + MAX_HEADER_BYTES + 100
#: Argument of prctl(2).
_SET_DUMPABLE = 4
_COMMAND: tuple[str, ...] = (sys.executable, "-m", "flink_job.imports.reader_process")
_ROOT = Path(__file__).resolve().parents[2]

Records = Iterator[tuple[int, bytes]]


class UnreadableError(InputError):
    """A file that the reader process refused; `said` has what it leaves open, if that is why."""

    def __init__(self, message: str, said: Said) -> None:
        super().__init__(message)
        self.said = said


@contextlib.contextmanager
def isolated_records(
    path: Path, limit: int = MAX_STAGED_BYTES, stated: str = ""
) -> Iterator[tuple[Callable[[], Records], Said]]:
    """Yield a function that returns the records of a local file, the same each time, and what was found out about it.

    A record is (line number from 1, payload). `stated`: a map of the file, in YAML. The records are copied to a
    temporary file of at most `limit` bytes. Raises UnreadableError.
    """
    said = Said()
    with tempfile.TemporaryFile() as staged:
        try:
            _stage(path, staged, limit, stated, said)
        except InputError as error:
            raise UnreadableError(str(error), said) from None

        def records() -> Records:
            staged.seek(0)
            return _frames(staged, path.name, Said())

        yield records, said


def _stage(path: Path, staged: IO[bytes], limit: int, stated: str, said: Said) -> None:
    """Copy the records that a reader process finds in a file."""
    _protect_memory()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"}
    with (
        path.open("rb") as source,
        subprocess.Popen(
            [*_COMMAND, path.name, stated],
            stdin=source,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as reader,
    ):
        try:
            assert reader.stdout is not None
            size = 0
            for number, payload in _frames(reader.stdout, path.name, said):
                size += FRAME.size + len(payload)
                if size > limit:
                    raise InputError(f"{path.name}: more than {limit:,} bytes when unpacked: split the file")
                staged.write(FRAME.pack(number, len(payload)))
                staged.write(payload)
            staged.write(FRAME.pack(END, 0))
        finally:
            reader.kill()


def _frames(stream: IO[bytes], name: str, said: Said) -> Records:
    """Yield the records up to the last frame, and add to `said`. Raises InputError if the reader failed."""
    while len(head := stream.read(FRAME.size)) == FRAME.size:
        number, length = FRAME.unpack(head)
        if number == END:
            return
        if length > _MAX_PAYLOAD or len(payload := stream.read(length)) != length:
            break
        if number == FAILED:
            why = payload.decode("utf-8", "replace")
            raise InputError(f"{name}{why if why.startswith(':') else f': {why}'}")
        if number == SAID:
            try:
                said.add(msgspec.json.decode(payload, type=Said))
            except (msgspec.DecodeError, UnicodeDecodeError):
                break
            continue
        yield number, payload
    raise InputError(f"{name}: the process that read the file ended early; the file may need too much memory: split it")


def _protect_memory() -> None:
    """Forbid other processes of the same user to read the memory and the environment of this one (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
