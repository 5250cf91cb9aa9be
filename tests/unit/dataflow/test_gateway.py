"""Nothing is collected while the job is planned, for every allocating thread."""

from __future__ import annotations

import gc
import threading
import weakref

from flink_job.dataflow.gateway import one_jvm_thread


class Cyclic:
    """An object in a reference cycle, as Py4J's Java objects are."""

    def __init__(self) -> None:
        self.own = self


def _allocate() -> None:
    """More cyclic objects than two generations of the collector take."""
    for _ in range(50_000):
        Cyclic()


def test_another_thread_collects_nothing_meanwhile() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(10, 1, 1)
    try:
        with one_jvm_thread():
            java_object = weakref.ref(Cyclic())
            drawing = threading.Thread(target=_allocate)
            drawing.start()
            drawing.join()
            assert java_object() is not None
        _allocate()
        assert java_object() is None
    finally:
        gc.set_threshold(*threshold)


def test_what_was_switched_off_before_stays_off() -> None:
    gc.disable()
    try:
        with one_jvm_thread():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
