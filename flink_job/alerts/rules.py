"""Threshold rules: limits on the power or a measured channel of the meters in a part of the site."""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath

import msgspec

from flink_job.metering.units import MEASURED_CHANNELS

SEVERITIES = ("info", "minor", "major", "critical", "emergency")
POWER_KW = "power_kw"


class RuleError(ValueError):
    """Rules that cannot be used; the message names the rule and what would be right."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits for every meter whose site path matches `scope` (shell pattern). `channel` is power_kw, the mean import
    power of the interval, or a measured channel. A reading breaches when value > above or value < below.
    """

    rule_id: str
    scope: str
    severity: str
    channel: str = POWER_KW
    above: float | None = None
    below: float | None = None

    def matches(self, site_path: str) -> bool:
        return fnmatch.fnmatchcase(site_path, self.scope)

    def check(self, value: float) -> str:
        """`rule_id|severity|breach|value|threshold`; breach is `above`, `below` or empty."""
        if self.above is not None and value > self.above:
            return f"{self.rule_id}|{self.severity}|above|{value:.6g}|{self.above:.6g}"
        if self.below is not None and value < self.below:
            return f"{self.rule_id}|{self.severity}|below|{value:.6g}|{self.below:.6g}"
        limit = self.above if self.above is not None else self.below
        return f"{self.rule_id}|{self.severity}||{value:.6g}|{limit:.6g}"


def read_rules(document: bytes, name: str = "rules") -> tuple[Rule, ...]:
    """The rules in a JSON list. Raises RuleError."""
    try:
        rules = msgspec.json.decode(document, type=tuple[Rule, ...])
    except msgspec.DecodeError as error:
        raise RuleError(f"{name}: {error}") from None
    for rule in rules:
        for problem in _problems(rule):
            raise RuleError(f"{name}: rule {rule.rule_id!r}: {problem}")
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise RuleError(f"{name}: two rules have one rule_id")
    return rules


def _problems(rule: Rule) -> list[str]:
    found = []
    if not rule.rule_id or "|" in rule.rule_id:
        found.append("rule_id must not be empty nor hold '|'")
    if rule.severity not in SEVERITIES:
        found.append(f"severity is {rule.severity!r}; it is one of {', '.join(SEVERITIES)}")
    if rule.channel != POWER_KW and rule.channel not in MEASURED_CHANNELS:
        found.append(f"channel is {rule.channel!r}; it is one of {', '.join([POWER_KW, *MEASURED_CHANNELS])}")
    if rule.above is None and rule.below is None:
        found.append("it can never fire: give above, below or both")
    if rule.above is not None and rule.below is not None and rule.below >= rule.above:
        found.append(f"every value breaches: below {rule.below} is not less than above {rule.above}")
    if not PurePosixPath(rule.scope).parts:
        found.append("scope must not be empty; * is every meter")
    return found
