"""Reads an untrusted file in a process of its own, which has no credentials.

Readers of files run native code (decompression, Parquet) on untrusted bytes. If a file exploits a fault there, the code
that it runs has no credentials in its environment, cannot read the memory of this process, and is what the kernel ends
first if memory runs out. The caller parses what it returns as records of the tenant of the file.

Run as a program, this module is the reader: the file is its standard input, the records are its standard output.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from flink_job.io.records import InputError, records_in
from flink_job.metering.bounds import MAX_HEADER_BYTES, MAX_LINE_BYTES, MAX_STAGED_BYTES

#: Number of a record in the file, from 1, and length of its payload, which follows.
_FRAME = struct.Struct(">QI")
#: Numbers of the last frame: the file has been read, or cannot be read and the payload says why.
_END, _FAILED = 0, (1 << 64) - 1
#: Longest payload: a line of a CSV file, preceded by its header.
_MAX_PAYLOAD = MAX_LINE_BYTES + MAX_HEADER_BYTES + 100
#: Arguments of prctl(2).
_SET_DUMPABLE, _SET_NO_NEW_PRIVILEGES = 4, 38
_COMMAND: tuple[str, ...] = (sys.executable, "-m", "flink_job.io.isolated")
_ROOT = Path(__file__).resolve().parents[2]

Records = Iterator[tuple[int, bytes]]


@contextlib.contextmanager
def isolated_records(path: Path, limit: int = MAX_STAGED_BYTES) -> Iterator[Callable[[], Records]]:
    """Yield a function that returns the records of a local file, the same each time: (line number from 1, payload).

    The records are copied to a temporary file of at most `limit` bytes. Raises InputError if the file cannot be read.
    """
    with tempfile.TemporaryFile() as staged:
        _stage(path, staged, limit)

        def records() -> Records:
            staged.seek(0)
            return _frames(staged, path.name)

        yield records


def _stage(path: Path, staged: IO[bytes], limit: int) -> None:
    """Copy the records that a reader process finds in a file."""
    _protect_memory()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"}
    with (
        path.open("rb") as source,
        subprocess.Popen(
            [*_COMMAND, path.name], stdin=source, stdout=subprocess.PIPE, env=environment, start_new_session=True
        ) as reader,
    ):
        try:
            assert reader.stdout is not None
            size = 0
            for number, payload in _frames(reader.stdout, path.name):
                size += _FRAME.size + len(payload)
                if size > limit:
                    raise InputError(f"{path.name}: more than {limit:,} bytes when unpacked: split the file")
                staged.write(_FRAME.pack(number, len(payload)))
                staged.write(payload)
            staged.write(_FRAME.pack(_END, 0))
        finally:
            reader.kill()


def _frames(stream: IO[bytes], name: str) -> Records:
    """Yield the frames up to the last one. Raises InputError for an error of the reader, or if it ended early."""
    while len(head := stream.read(_FRAME.size)) == _FRAME.size:
        number, length = _FRAME.unpack(head)
        if number == _END:
            return
        if length > _MAX_PAYLOAD or len(payload := stream.read(length)) != length:
            break
        if number == _FAILED:
            raise InputError(f"{name}: {payload.decode('utf-8', 'replace')}")
        yield number, payload
    raise InputError(f"{name}: the process that read the file ended early; the file may need too much memory: split it")


def _protect_memory() -> None:
    """Forbid other processes of the same user to read the memory and the environment of this one (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def _give_up_rights() -> None:
    """Forbid this process to gain privileges, and let the kernel end it first if memory runs out (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def main(name: str) -> None:
    """Write the records of the file on the standard input; its format follows from `name`."""
    _give_up_rights()
    out = sys.stdout.buffer
    try:
        for number, payload in records_in(name, sys.stdin.buffer):
            out.write(_FRAME.pack(number, len(payload)) + payload)
        out.write(_FRAME.pack(_END, 0))
    except InputError as error:
        why = str(error).removeprefix(f"{name}: ").encode("utf-8", "replace")[:MAX_LINE_BYTES]
        out.write(_FRAME.pack(_FAILED, len(why)) + why)


if __name__ == "__main__":
    main(sys.argv[1])
