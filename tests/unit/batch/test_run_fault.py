"""A run that costs nothing of what it was given, or rejects too much of it, is a fault with a reason."""

from __future__ import annotations

import pytest

from flink_job.batch.run import Account


def account(
    costs: int = 0, duplicates: int = 0, measurements: int = 0, rejected: int = 0, unpriced: int = 0
) -> Account:
    rows = {
        "costs": costs,
        "duplicates": duplicates,
        "measurements": measurements,
        "rejected": rejected,
        "unpriced": unpriced,
    }
    return Account(sum(rows.values()), rows)


@pytest.mark.parametrize(
    ("found", "most", "fault"),
    [
        (account(), None, "no reading was given"),
        (account(rejected=3), None, "none of 3 readings has a cost: 3 rejected"),
        (account(unpriced=2, rejected=1), None, "none of 3 readings has a cost: 1 rejected, 2 unpriced"),
        (account(costs=1, rejected=3), None, ""),
        (account(measurements=1, rejected=3), None, ""),
        (account(costs=1, rejected=3), 75, ""),
        (account(costs=1, rejected=3), 74.9, "75 % of the readings were rejected, more than 74.9 % (--max-rejected)"),
        (account(costs=1, duplicates=5, unpriced=3), 0, ""),
    ],
)
def test_fault(found: Account, most: float | None, fault: str) -> None:
    assert found.fault(most) == fault
