"""SQL function `expected_terms`: when readings of a meter are expected (see flink_job.tariffs.expected)."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.config import Settings
from flink_job.registries import tariff_registry
from flink_job.tariffs.expected import changed_terms


class ExpectedTerms(ScalarFunction):  # type: ignore[misc]
    """`expected_terms(contract, previous_contract)`: encoded terms, of which the second argument may be NULL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        """Open the tariff registry of this worker."""
        self.registry = tariff_registry(self.settings.tariffs)

    def eval(self, contract: pd.Series, previous: pd.Series) -> pd.Series:
        """Return the terms of a batch of contracts."""
        self.registry.refresh()
        tenant = self.settings.contracts.tenant
        return pd.Series(
            [
                [term.encoded() for term in changed_terms(document, before, self.registry, tenant)]
                for document, before in zip(contract, previous, strict=True)
            ],
            dtype=object,
        )


def expected_terms(settings: Settings) -> Any:
    """Create the SQL function `expected_terms`."""
    return udf(ExpectedTerms(settings), result_type=DataTypes.ARRAY(DataTypes.STRING()), func_type="pandas")
