"""Differences of rounding between costs in order of arrival and costs in order of time, left out of the adjustments.

A cost is the rounded bill after a reading minus the rounded bill before it, so the last digit of each depends on the
order of the readings, though their sum does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

#: Columns of a bill: what is left out of its rows is added to one of them.
BILL = ("cycle_start", "tariff_id", "tariff_version")
#: Largest difference of rounding in a charge, for each record of the row [1e-6 currency]. Half a digit before and after
#: a record, in the stream and in settlement; twice that for taxes, which are computed from rounded charges.
BY_RECORD = 2


def without_rounding(
    rows: pd.DataFrame, charges: Sequence[str], others: Sequence[str], records: pd.Series[int]
) -> pd.DataFrame:
    """Return the rows that differ by more than rounding. All columns are in 1e-6 of their unit.

    A row of zeros in `others` whose `charges` differ by no more than the rounding of its number of `records` is left
    out. The charges of each bill still have the same sum: what they lack is added to the row that differs most; if
    there is none and they lack something, to the last one.
    """
    differs = (rows[list(others)] != 0).any(axis=1)
    is_changed = (rows[list(charges)] != 0).any(axis=1)
    is_large = rows[list(charges)].abs().gt(BY_RECORD * records, axis=0).any(axis=1)
    is_small = is_changed & ~differs & ~is_large
    kept = rows[differs | is_large].copy()
    left = rows[is_small].groupby(list(BILL), dropna=False, sort=False)[list(charges)].sum()
    for bill, lacking in zip(left.index, left.to_numpy(), strict=True):
        if not lacking.any():
            continue
        of_bill = _of_bill(kept, bill)
        if of_bill.empty:
            last = _of_bill(rows[is_small], bill).tail(1)
            kept = pd.concat([kept, last.assign(**dict.fromkeys((*charges, "exact_cost", "streamed_cost"), 0))])
            at = last.index[0]
        else:
            at = (of_bill["exact_cost"] - of_bill["streamed_cost"]).abs().idxmax()
        kept.loc[at, list(charges)] += lacking
        kept.loc[at, "exact_cost"] += lacking.sum()
    return kept


def _of_bill(rows: pd.DataFrame, bill: tuple[str, ...]) -> pd.DataFrame:
    is_of = pd.Series(True, index=rows.index)
    for name, value in zip(BILL, bill, strict=True):
        is_of &= rows[name] == value
    return rows[is_of]
