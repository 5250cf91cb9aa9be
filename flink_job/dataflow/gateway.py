"""Calls from Python to the JVM that plans the job."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_jvm_thread() -> Iterator[None]:
    """Keep the calls of this Python thread on one thread of the JVM.

    The planner's metadata and the class loader that has the job's jar belong to a thread of the JVM, and Py4J has one
    for each connection. Java objects are in reference cycles: the Python thread that happens to collect them, such as
    one that draws a progress bar, releases them over a connection of its own, and Py4J makes the next call over
    whichever connection came back last. Planning then fails with a NullPointerException in Calcite. So nothing is
    collected meanwhile.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
