"""Variants of a rule with other limits, for `alerts replay --limits`."""

from __future__ import annotations

import dataclasses
from math import inf

from flink_job.alerts.conditions import clear_condition, parse_condition
from flink_job.alerts.rules import Rule


def with_limit(rule: Rule, limit: float) -> Rule:
    """The rule with its lowest level only, at another limit; clear_at keeps its distance from the limit.

    Raises ValueError for bands and no-data rules, which have no single limit.
    """
    condition = rule.levels[0].condition
    if condition is None or condition.kind() not in ("above", "below") or rule.clear is None:
        raise ValueError(f"rule {rule.rule_id!r} has no single limit; --limits applies to rules with > or <")
    sign = condition.text.rstrip("0123456789.eE+- ").strip()
    now = condition.low if condition.kind() == "above" else condition.high
    clear = rule.clear.high if condition.kind() == "above" else rule.clear.low
    tried = parse_condition(f"{sign} {limit:g}")
    clear_at = limit + clear - now if abs(clear) != inf and clear != now else limit
    level = rule.levels[0]._replace(condition=tried)
    return dataclasses.replace(rule, levels=(level,), clear=clear_condition(tried, f"{clear_at:g}"))
