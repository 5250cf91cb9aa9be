"""SQL function `count_duplicates`: counts rows that no other Python function processes."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from udfs.columns import INT
from udfs.metrics import Counters


class Counted(ScalarFunction):  # type: ignore[misc]
    """`count_<name>(value)`: returns `value` unchanged and counts the row in the metric `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)

    def is_deterministic(self) -> bool:
        """Return False, because a call has a side effect: the planner must not merge or precompute calls."""
        return False

    def eval(self, value: pd.Series) -> pd.Series:
        self.counters.add({self.name: len(value)})
        return value


def counted(name: str) -> Any:
    """Return the vectorised function that counts its rows in the metric `name`."""
    return udf(Counted(name), result_type=INT, func_type="pandas")
