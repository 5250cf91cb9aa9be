"""The savepoint of the last release is resumed by this version, and every bill comes out as if nothing had happened."""

from __future__ import annotations

import json

import pytest

from deploy.local.demo import DemoError
from tests.harness.jobs import SAMPLES
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed
from tests.state.halves import KEPT, RECORDS, Half, HalfError, in_order_of_arrival, second_half, unpack

#: The oracle's names of the charges, in their order.
LINES = ("energy", "demand", "fixed", "export", "tax", "cost")
CANNOT_RESUME = (
    "this version cannot resume from the savepoint of the last release: a deployment would lose the job's state. "
    "If that is intended, mark the entry in CHANGELOG.md with **State** and run python -m tests.state keep"
)


@pytest.fixture(scope="module")
def first() -> Half:
    """The first half as the last release left it."""
    return Half.read(KEPT / "half.json")


@pytest.fixture(scope="module")
def second(sample_records: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Half:
    """The second half as this version adds it."""
    folder = tmp_path_factory.mktemp("savepoint")
    savepoint = unpack(KEPT / "savepoint.tar.xz", folder / "savepoint")
    try:
        return second_half(folder, sample_records, savepoint)
    except (DemoError, HalfError) as error:
        pytest.fail(f"{CANNOT_RESUME}.\n{error}\n{(folder / 'job.log').read_text()[-4000:]}")


@pytest.fixture(scope="module")
def whole(first: Half, second: Half) -> Half:
    """Both halves."""
    return first + second


@pytest.fixture(scope="module")
def oracle(sample_records: list[bytes]) -> Oracle:
    """The independent computation of both halves."""
    contracts = (SAMPLES / "contracts.ndjson").read_bytes().splitlines()
    tariffs = [json.loads(path.read_text()) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    reckoning = Oracle(contracts, tariffs)
    for record in in_order_of_arrival(sample_records):
        if not is_malformed(record):
            reckoning.add(json.loads(record))
    return reckoning


def test_every_bill_is_that_of_an_uninterrupted_run_to_the_last_digit(whole: Half, oracle: Oracle) -> None:
    expected = {tuple(map(str, key)): tuple(amounts[line] for line in LINES) for key, amounts in oracle.costs().items()}
    assert whole.bills == expected
    assert len(expected) > 50


def test_no_window_is_emitted_as_on_time_again_after_a_restart(first: Half, second: Half) -> None:
    """The second half begins with readings of windows that the first has emitted: after a restart they correct them."""
    assert len(first.windows) > 20
    assert len(second.windows) > 20
    assert not first.windows & second.windows


def test_bills_of_the_second_half_go_on_from_the_first(first: Half, whole: Half) -> None:
    assert sum(whole.bills[key] != amounts for key, amounts in first.bills.items()) > 30


def test_every_record_is_accounted_for_once(whole: Half, sample_records: list[bytes], oracle: Oracle) -> None:
    assert sum(whole.accounted.values()) == RECORDS
    assert whole.accounted["costs"] == oracle.counts["costed"]
    assert whole.accounted["duplicates"] == oracle.counts["duplicates"]
    assert whole.accounted["unpriced"] == oracle.counts["unpriced"]
