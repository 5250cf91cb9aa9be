"""How fast a program reads its input, seen from outside: the position in the file, by /proc. It works alike for Flink,
for other engines and for plain Python, and costs them nothing.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

PERIOD_S = 0.2
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: The part of the input that counts: before it the program starts and warms up.
WARM, DONE = 0.25, 0.98


@dataclass
class Progress:
    """Watches a file while a program reads it.

    `samples` are (seconds, position in the file, CPU seconds spent so far by the program and all it started),
    `peak_bytes` the memory peaks of its processes, by name.
    """

    file: Path
    root_pid: int
    samples: list[tuple[float, int, float]] = field(default_factory=list)
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
        return next((sample[0] for sample in self.samples), self.ended) - self.started

    def rates(self) -> tuple[float, float]:
        """(share of the input read in a second, CPU seconds that the whole input would take), once warm."""
        size = self.file.stat().st_size
        inside = [sample for sample in self.samples if WARM * size <= sample[1] <= DONE * size]
        if len({position for _, position, _ in inside}) < 2:  # too small an input to tell
            return 1 / (self.ended - self.started), sum(self._cpu.values())
        (first, low, cpu_before), (last, high, cpu_after) = inside[0], inside[-1]
        share = (high - low) / size
        return share / (last - first), (cpu_after - cpu_before) / share

    def _watch(self) -> None:
        target, size = str(self.file.resolve()), self.file.stat().st_size
        while not self._end.wait(PERIOD_S):
            position = 0
            for pid in descendants(self.root_pid):
                position = max(position, _position(pid, target))
                self._note(pid)
            if 0 < position <= size:
                self.samples.append((time.monotonic(), position, sum(self._cpu.values())))

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
    """A process and all below it."""
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


def _position(pid: int, target: str) -> int:
    position = 0
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if str(link.readlink()) == target:
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                position = max(position, int(info.split("pos:")[1].split()[0]))
    except OSError:
        pass
    return position
