"""A metric for rows that no other Python function sees."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from udfs.columns import INT
from udfs.metrics import Counters


class Counted(ScalarFunction):  # type: ignore[misc]
    """`count_<name>(value)`: the value; the row is counted under `name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)

    def is_deterministic(self) -> bool:
        return False

    def eval(self, value: pd.Series) -> pd.Series:
        self.counters.add({self.name: len(value)})
        return value


def counted(name: str) -> Any:
    return udf(Counted(name), result_type=INT, func_type="pandas")
