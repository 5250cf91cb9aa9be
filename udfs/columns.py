"""Result columns of a vectorised function: an Arrow struct from columns of Python values."""

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
    """A ROW of named fields."""
    return DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in fields.items()])


#: Result columns of a function that watches.
ALERT_COLUMNS = dict(alert_batch=STRING, alert_certain=BOOLEAN, alert_active=INT)


def frame(names: Sequence[str], rows: Sequence[Sequence[Any]], integers: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Rows as a frame; None is NULL, or ABSENT in the columns `integers`."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pd.DataFrame({n: _column(c, n in integers) for n, c in zip(names, columns, strict=True)})


def _column(values: Sequence[Any], absent_as_number: bool) -> pd.Series:
    if not absent_as_number:
        return pd.Series(values, dtype=object)
    absent = values.count(None)
    if absent == len(values):  # most columns are all there or not at all
        return pd.Series(np.full(len(values), ABSENT, dtype=np.int64))
    given = [ABSENT if value is None else value for value in values] if absent else values
    return pd.Series(np.array(given, dtype=np.int64))
