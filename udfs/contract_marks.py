"""SQL function `contract_marks`: the entities that a contract concerns (see flink_job.alerts.presence)."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.presence import contract_marks
from flink_job.config import Settings
from flink_job.metering.changes import Places
from flink_job.metering.contract import ContractError, of_tenant
from flink_job.metering.contract_document import parse_contract, parse_outline
from flink_job.metering.groups import own_document
from flink_job.metering.site import Entity, meter_at, meter_of
from flink_job.registries import rule_registry


class ContractMarks(ScalarFunction):  # type: ignore[misc]
    """`contract_marks(contract, previous_contract)`: marks, of which the second argument may be NULL.

    Without a location of rules there are none.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        """Open the rule registry of this worker."""
        self.registry = rule_registry(self.settings.tariffs, self.settings.job.silence_s)

    def eval(self, contract: pd.Series, previous: pd.Series) -> pd.Series:
        """Return the marks of a batch of contracts."""
        if self.registry.location is None:
            return pd.Series([[] for _ in contract], dtype=object)
        self.registry.refresh()
        return pd.Series([self._marks(*documents) for documents in zip(contract, previous, strict=True)], dtype=object)

    def _marks(self, document: str, before: str | None) -> list[str]:
        latest = self._meter(document)
        if latest is None:
            return []
        return contract_marks(self.registry.rules, latest, None if before is None else self._meter(before))

    def _meter(self, document: str) -> Entity | None:
        """Return the meter of a contract, where it is now; None for one that only an earlier release accepts."""
        tenant = self.settings.contracts.tenant
        try:
            outline = parse_outline(own_document(document))
            if not outline.changes:
                return meter_of(outline, tenant)
            places = Places(of_tenant(parse_contract(own_document(document), accept_unknown=True), tenant))
        except ContractError:
            return None
        return meter_at(places.at(time.time_ns() // 1_000_000))


def contract_marks_function(settings: Settings) -> Any:
    """Create the SQL function `contract_marks`."""
    return udf(ContractMarks(settings), result_type=DataTypes.ARRAY(DataTypes.STRING()), func_type="pandas")
