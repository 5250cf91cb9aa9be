"""SQL function `changed_spans`: the time for which a contract changes what has been priced."""

from __future__ import annotations

import time

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.config import Settings
from flink_job.tariffs.changed_spans import changed_spans


class ChangedSpans(ScalarFunction):  # type: ignore[misc]
    """`changed_spans(contract, previous_contract)`: encoded spans, of which the second argument may be NULL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def eval(self, contract: pd.Series, previous: pd.Series) -> pd.Series:
        """Return the spans of a batch of contracts."""
        tenant, now_ms = self.settings.contracts.tenant, time.time_ns() // 1_000_000
        return pd.Series(
            [
                [span.encoded() for span in changed_spans(document, before, tenant, now_ms)]
                for document, before in zip(contract, previous, strict=True)
            ],
            dtype=object,
        )


def changed_spans_function(settings: Settings) -> object:
    """Create the SQL function `changed_spans`."""
    return udf(ChangedSpans(settings), result_type=DataTypes.ARRAY(DataTypes.STRING()), func_type="pandas")
