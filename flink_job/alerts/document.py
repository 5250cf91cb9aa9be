"""Parser of rules documents: YAML or JSON to typed rules, reporting every fault."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import yaml

from flink_job.alerts.calendars import Calendar, RuleCalendarError
from flink_job.alerts.rule_builder import RuleBuilder
from flink_job.alerts.rules import RuleSet
from flink_job.alerts.schema import RulesDocument
from flink_job.metering.bounds import MAX_DEPTH, MAX_DETAIL, MAX_DOCUMENT_BYTES


class RuleError(ValueError):
    """An invalid rules document; `problems` has every fault, each with its rule and how to fix it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def parse_rules(content: bytes, name: str = "rules", silence_s: int = 0) -> RuleSet:
    """Parse a YAML or JSON document; the version of its rules is a hash of its bytes.

    `silence_s` is the setting of the job [s], after which it detects that a meter stopped reporting; a rule with a
    shorter `no_data` could not fire on time. Raises RuleError with every fault.
    """
    try:
        _check_structure(content)
        document = msgspec.convert(msgspec.to_builtins(msgspec.yaml.decode(content)), RulesDocument)
    except (msgspec.DecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise RuleError([f"{name}: {' '.join(str(error).split())[:MAX_DETAIL]}"]) from None
    problems: list[str] = []
    calendars: dict[str, Calendar] = {}
    for calendar_name, described in document.calendars.items():
        try:
            calendars[calendar_name] = Calendar(described)
        except RuleCalendarError as error:
            problems.append(f"{name}: calendar {calendar_name!r}: {error}")
    rules = []
    ids = [rule.rule_id for rule in document.rules]
    for described_rule in document.rules:
        reader = RuleBuilder(described_rule, document.calendars.keys(), calendars, ids, silence_s)
        rules.append(reader.rule())
        problems += [f"{name}: rule {described_rule.rule_id!r}: {problem}" for problem in reader.problems]
    problems += [f"{name}: two rules have the rule_id {i!r}" for i in sorted({i for i in ids if ids.count(i) > 1})]
    if problems:
        raise RuleError(problems)
    return RuleSet(hashlib.sha256(content).hexdigest()[:12], tuple(rules))


def _check_structure(content: bytes) -> None:
    """Raise ValueError if the size, depth or aliases of a document could exhaust time or memory.

    Nested aliases expand exponentially: a few lines of them become gigabytes.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{len(content)} bytes; a rules document has at most {MAX_DOCUMENT_BYTES}")
    depth = 0
    for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"line {line}: aliases (*{event.anchor}) are not supported; write the values out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"line {line}: more than {MAX_DEPTH} levels deep")


def json_schema() -> dict[str, Any]:
    """JSON Schema of a rules document."""
    return msgspec.json.schema(RulesDocument)
