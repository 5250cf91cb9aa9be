"""Rate at which a program reads its input, measured from outside: the position in the file, from /proc. It works for
Flink, other engines and plain Python, without overhead. A file is identified by its inode, so links do not matter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

PERIOD_S = 0.2
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: The measured part of the input: before it the program starts and warms up.
WARM, DONE = 0.25, 0.98

#: Device and inode of a file.
_Identity = tuple[int, int]


class Sample(NamedTuple):
    """A moment [s], the position in the file, the CPU seconds spent so far by the program and its children, and
    whether it is still reading the first file.
    """

    at_s: float
    position: int
    cpu_s: float
    is_filling: bool = False


@dataclass
class Progress:
    """Watches a file while a program reads it.

    The files of `first` (contracts) are read concurrently at the start; the program is not warm until they are read.
    `peak_bytes` are the memory peaks of the processes, by name.
    """

    file: Path
    root_pid: int
    first: Path | None = None
    samples: list[Sample] = field(default_factory=list)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    _end: Event = field(default_factory=Event)
    _cpu: dict[int, float] = field(default_factory=dict)

    def __enter__(self) -> Progress:
        self.started = time.monotonic()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = time.monotonic()
        self._end.set()
        self._thread.join()

    @property
    def first_read_s(self) -> float:
        """Seconds from the start until the input is being read."""
        return next((sample.at_s for sample in self.samples), self.ended) - self.started

    def is_over(self, rest_s: float) -> bool:
        """Whether the input was read and has not been open for `rest_s` seconds. The position is not considered: the
        last one observed in a small file can be well before its end.
        """
        return bool(self.samples) and time.monotonic() - self.samples[-1].at_s > rest_s

    def rates(self) -> tuple[float, float]:
        """(share of the input read per second, CPU seconds that the whole input would take), once warm."""
        size = self.file.stat().st_size
        filled = max((n + 1 for n, sample in enumerate(self.samples) if sample.is_filling), default=0)
        inside = [sample for sample in self.samples[filled:] if WARM * size <= sample.position <= DONE * size]
        if len({sample.position for sample in inside}) < 2:  # too small an input to tell
            return 1 / (self.ended - self.started), sum(self._cpu.values())
        low, high = inside[0], inside[-1]
        share = (high.position - low.position) / size
        return share / (high.at_s - low.at_s), (high.cpu_s - low.cpu_s) / share

    def _watch(self) -> None:
        files = {_identity(path): path.stat().st_size for path in (self.file, self.first) if path}
        target, *first = files
        while not self._end.wait(PERIOD_S):
            found: dict[_Identity, int] = {}
            for pid in descendants(self.root_pid):
                for one, position in _positions(pid, files.keys()).items():
                    found[one] = max(found.get(one, 0), position)
                self._note(pid)
            is_filling = any(found.get(one, files[one]) < files[one] for one in first)
            if 0 < (position := found.get(target, 0)) <= files[target]:
                self.samples.append(Sample(time.monotonic(), position, sum(self._cpu.values()), is_filling))

    def _note(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            return
        self._cpu[pid] = (int(times[11]) + int(times[12])) / TICKS_PER_S
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if "VmHWM" in fields:
            name = fields["Name"].strip()
            peak = int(fields["VmHWM"].split()[0]) * 1024
            self.peak_bytes[name] = max(peak, self.peak_bytes.get(name, 0))


def descendants(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def _identity(path: Path) -> _Identity:
    about = path.stat()
    return about.st_dev, about.st_ino


def _positions(pid: int, targets: Collection[_Identity]) -> dict[_Identity, int]:
    """Return the positions of a process in the files that it has open."""
    found: dict[_Identity, int] = {}
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if (target := _identity(link)) in targets:
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                found[target] = max(found.get(target, 0), int(info.split("pos:")[1].split()[0]))
    except OSError:
        pass
    return found
