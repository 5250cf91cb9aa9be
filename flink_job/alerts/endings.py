"""Reasons for which an alert ends without a sample: its rule or its entity is not what it was."""

from __future__ import annotations

import dataclasses

from flink_job.alerts.rules import Rule, Scope

#: Values of the column `detail` of the change that ends an alert.
REMOVED = "the rule was removed"
CHANGED = "the rule was changed"
OUTSIDE = "outside the rule's scope"
NO_METERS = "no meter is left"
OTHER_CURRENCY = "costs are in another currency"


def reason_to_end(rule: Rule | None, subject: str, concerns_entity: bool) -> str:
    """Why the alerts of a rule on an entity end; empty if they do not.

    `rule` is the rule as it is now, None if it was removed. `subject` is what it compared (Rule.subject) when the
    alert was raised; empty if unknown.
    """
    if rule is None:
        return REMOVED
    if subject and subject != rule.subject:
        return CHANGED
    return "" if concerns_entity else OUTSIDE


def rule_of_ended(rule_id: str, rule: Rule | None, detail: str) -> Rule:
    """The rule for the row of an alert that ends with `detail`, without what is unknown of a removed or changed one."""
    if rule is None:
        return Rule(rule_id, rule_id, Scope("*", frozenset(), ()), "", "", "", (), None)
    return dataclasses.replace(rule, signal="", unit="", levels=(), change_per_ms=0) if detail == CHANGED else rule
