"""Times of price series: local times in the repeated hour of a clock change, and holes in prices without an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.prices import PriceError

#: Number of slots before and after a longer one that show their usual length, and the share that must have it.
_AROUND, _SHARE = 8, 0.75


def local_instants(texts: Sequence[str], timezone: str | None) -> list[datetime]:
    """Parse ISO 8601 times in the order of a file; return instants in UTC. Raises ValueError or PriceError.

    Times without an offset are local times of `timezone`. In the hour that is repeated when clocks go back, a time that
    occurs twice is the earlier instant first and then the later one, in a file with the newest first the other way
    round. A time that occurs once is the earlier instant.
    """
    moments = [datetime.fromisoformat(text) for text in texts]
    local = [moment for moment in moments if moment.tzinfo is None]
    if not local:
        return [moment.astimezone(UTC) for moment in moments]
    if timezone is None:
        raise PriceError(f"the time {local[0].isoformat()} has no UTC offset; give offsets, or --timezone")
    zone, newest_first = ZoneInfo(timezone), local[0] > local[-1]
    count, seen = Counter(local), Counter[datetime]()
    found = []
    for moment in moments:
        if moment.tzinfo is None:
            seen[moment] += 1
            is_second = count[moment] > 1 and seen[moment] == (1 if newest_first else 2)
            moment = moment.replace(tzinfo=zone, fold=int(is_second))
        found.append(moment.astimezone(UTC))
    return found


def until_hole(starts_ms: NDArray[np.int64]) -> list[int]:
    """Return the end of the slots that begin at all of the sorted instants but the last [epoch ms].

    It is the next instant, unless the slot is a multiple of the usual length of the slots before and after it. Lists of
    changes, in which no length is usual, have no holes, and neither have local days of 25 hours.
    """
    steps = np.diff(starts_ms)
    ends = starts_ms[1:].copy()
    longer = np.zeros(len(steps), dtype=bool)
    longer[1:] |= steps[1:] > steps[:-1]
    longer[:-1] |= steps[:-1] > steps[1:]
    for row in np.flatnonzero(longer):
        around = (steps[max(0, row - _AROUND) : row], steps[row + 1 : row + 1 + _AROUND])
        lengths = [_usual(side) for side in around if len(side)]
        usual = max(lengths) if all(lengths) else 0
        if usual and steps[row] > usual and steps[row] % usual == 0:
            ends[row] = starts_ms[row] + usual
    return [int(end) for end in ends]


def _usual(steps: NDArray[np.int64]) -> int:
    """Return the length of most slots, 0 if there is none."""
    lengths, counts = np.unique(steps, return_counts=True)
    if counts.max() < _SHARE * len(steps):
        return 0
    return int(lengths[np.argmax(counts)])
