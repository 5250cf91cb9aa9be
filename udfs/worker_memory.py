"""The Python worker that the functions run in."""

from __future__ import annotations

import gc

#: More than the objects of the batches that a worker holds at a time.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


def settle_memory() -> None:
    """Keep the collector of reference cycles off the rows of a batch, and off what is loaded by now.

    A batch is tens of thousands of small tuples that live until it is handed on; with Python's own thresholds they
    are looked through again and again, together with every module of the worker: a fifth of its time. There are no
    cycles among them: a hundred batches leave less than a hundred objects to the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
