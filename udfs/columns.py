"""Result types and columns of vectorised functions, which return a data frame for a ROW.

NULL is None in columns of objects. Integer columns have ABSENT instead, see flink_job.metering.packing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.types import DataType

from flink_job.metering.packing import ABSENT

STRING, INT, BIGINT, BOOLEAN = DataTypes.STRING(), DataTypes.INT(), DataTypes.BIGINT(), DataTypes.BOOLEAN()


def row_type(**fields: DataType) -> DataType:
    """Return the ROW type with the given fields, in order."""
    return DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in fields.items()])


#: Result columns of a function with a pre-filter: the attributes of PrefilterOutput, NULL without output.
ALERT_COLUMNS = dict(
    alert_batch=STRING,  # samples to forward as JSON; empty if only `alert_active` changes
    alert_certain=BOOLEAN,  # false for samples of an entity whose history is unknown since a start
    alert_active=INT,  # 1: active from here on, 0: settled, NULL: unchanged
)


def frame(names: Sequence[str], rows: Sequence[Sequence[Any]], integers: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Convert rows to a data frame with columns `names`; None becomes NULL, or ABSENT in the columns `integers`."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pd.DataFrame({n: _column(c, n in integers) for n, c in zip(names, columns, strict=True)})


def _column(values: Sequence[Any], absent_as_number: bool) -> pd.Series:
    """Return a column of objects, or of int64 with ABSENT for None."""
    if not absent_as_number:
        return pd.Series(values, dtype=object)
    absent = values.count(None)
    if absent == len(values):  # fast path: most columns are either complete or empty
        return pd.Series(np.full(len(values), ABSENT, dtype=np.int64))
    given = [ABSENT if value is None else value for value in values] if absent else values
    return pd.Series(np.array(given, dtype=np.int64))


def sparse(count: int, values: dict[int, Any]) -> Any:
    """Return a column of NULLs with a few values, given by row."""
    column = np.full(count, None, dtype=object)
    for row, value in values.items():
        column[row] = value
    return column
