"""Rates of change between consecutive readings, in event time."""

from __future__ import annotations

from flink_job.alerts.rules import Rule


class Rates:
    """The previous values that the rate-of-change rules of one entity need."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = {rule.series: rule for rule in rules if rule.change_per_ms}
        self.before: dict[str, tuple[int, float]] = {}

    def add_to(self, values: dict[str, float], at_ms: int, interval_s: int) -> None:
        """Add the rate since the previous reading to `values` for each rule; a gap or a late reading has no rate."""
        for series, rule in self.rules.items():
            if rule.signal not in values:
                continue
            value = values[rule.signal]
            before = self.before.get(series)
            if before is None or at_ms > before[0]:
                self.before[series] = (at_ms, value)
                if before is not None and at_ms - before[0] <= rule.gap_ms(interval_s):
                    values[series] = (value - before[1]) / (at_ms - before[0]) * rule.change_per_ms
