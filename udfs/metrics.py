"""Counters in the metric group that Managed Flink forwards to CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Counters:
    """Counters by name, each created when it is first incremented.

    The counters `names` are created at once, with the value 0, so that every subtask reports them: alarms compare one
    with another.
    """

    def __init__(self, function_context: Any, *names: str) -> None:
        self._group = function_context.get_metric_group().add_group("kinesisanalytics")
        self._counters: dict[str, Any] = {}
        self.add(dict.fromkeys(names, 0))

    def add(self, counts: Mapping[str, int]) -> None:
        """Increment counters by the counts of the given names."""
        for name, count in counts.items():
            if name not in self._counters:
                self._counters[name] = self._group.counter(name)
            self._counters[name].inc(count)
