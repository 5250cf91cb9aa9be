"""Uids: the stable ids by which Flink finds the state of an operator in a savepoint.

The job is translated in steps, one for each conversion of a table to a stream (see table_stream.py). Each operator of a
step has the uid `<step>/<kind of operator>`, with a number if the step has several of that kind. So a view that is
added, removed or renamed changes no uid of another step, and none of its own step unless it adds or removes an operator
of the same kind. Operators of the DataStream API have explicit uids.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum, unique
from typing import Any, TypeAlias

#: A (Java) transformation: an operator before Flink builds its graph.
Transformation: TypeAlias = Any

_TABLE_NUMBER = re.compile(r"\[\d+\]|\$\d+")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTERS = re.compile(r"[^a-z0-9]+")


@unique
class Uid(StrEnum):
    """Steps of the dataflow, and operators of the DataStream API. Names may change, but values never."""

    SPLIT_RECORDS = "split-records"
    ENVELOPES = "envelopes"
    SPLIT_PAYLOADS = "split-payloads"
    DECODE = "decode"
    CONTRACTS = "contracts"
    SUPPLIES = "supplies"
    LATEST_CONTRACT = "latest-contract"
    CONTRACT_AS_OF = "contract-as-of"
    RESOLVE = "resolve"
    FLATTEN = "flatten"
    REGISTERS = "registers"
    REVISIONS = "revisions"
    DELTAS = "deltas"
    BILL = "bill"
    PRICE = "price"
    COSTS = "costs"
    EXPECTED = "expected"
    KPIS_METERS = "kpis-meters"
    KPIS_COMBINE = "kpis-combine"
    KPIS_LEVELS = "kpis-levels"
    ALERT_PREFILTER = "alert-prefilter"
    HEARTBEATS = "heartbeats"
    CLOCK = "clock"
    PRESENCE = "presence"
    ALERT_STATES = "alert-states"
    NO_DATA = "no-data"
    EMITTED_ALERTS = "emitted-alerts"
    ALERT_LEDGER = "alert-ledger"
    OUTPUTS = "outputs"

    @property
    def rows(self) -> str:
        """The step that computes the rows for an operator of the DataStream API."""
        return f"{self}-rows"

    @property
    def versions(self) -> str:
        """The step that computes the second input of an operator of the DataStream API."""
        return f"{self}-versions"


def assign_uids(step: str, *ends: Transformation) -> None:
    """Assign a uid of the step to every operator upstream of the `ends` that has none; numbers start at the inputs."""
    seen: Counter[str] = Counter()
    for operator in (operator for end in ends for operator in reversed(list(end.getTransitivePredecessors()))):
        if operator.getUid() is None:
            kind = kind_of(operator.getName())
            seen[kind] += 1
            number = f"-{seen[kind]}" if seen[kind] > 1 else ""
            operator.setUid(f"{step}/{kind}{number}")


def kind_of(name: str) -> str:
    """The kind of an operator, from its name without the planner's numbers.

    `GlobalWindowAggregate[7]` is `global-window-aggregate`.
    """
    words = _WORD_START.sub("-", _TABLE_NUMBER.sub("", name)).lower()
    return _NO_LETTERS.sub("-", words).strip("-")
