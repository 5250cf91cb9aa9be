"""Calls from Python to the JVM in which Flink plans the job."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_jvm_thread() -> Iterator[None]:
    """Execute the Py4J calls of this Python thread on one thread of the JVM, by disabling garbage collection.

    The planner's metadata and the class loader of the job's jar are thread-local in the JVM, which has a thread for
    each Py4J connection. Proxies of Java objects are in reference cycles. If another Python thread collects them, such
    as one that draws a progress bar, it releases them over a second connection, and Py4J then uses the connection that
    was returned last. Planning fails with a NullPointerException in Calcite.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
