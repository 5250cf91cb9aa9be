"""Running aggregates of the rows of a key, in both state backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyflink.table import DataTypes

from flink_job.dataflow.operators.keyed_aggregate import Aggregate, KeyedAggregate, aggregate_by_key
from flink_job.dataflow.uids import Uid
from tests.integration.table_environment import BACKENDS, rows_of, table_environment

Returned = Callable[..., list[tuple[Any, ...]]]
NAME = ("name", DataTypes.STRING())
BIGINT, INT = DataTypes.BIGINT(), DataTypes.INT()


@pytest.fixture(params=BACKENDS)
def returned(request: pytest.FixtureRequest) -> Returned:
    """A function that returns the added columns of each row; `columns` are the names and types of the rows."""

    def of(aggregate: KeyedAggregate, columns: list[tuple[str, Any]], *rows: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        t_env = table_environment(request.param)
        schema = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in columns])
        t_env.create_temporary_view("given", t_env.from_elements(list(rows), schema))
        aggregate_by_key(t_env, "given", "returned", aggregate, ttl_days=1, uid=Uid.BILL)
        return rows_of(t_env, f"SELECT {', '.join(aggregate.names())} FROM returned")

    return of


def test_each_key_has_its_own_values_after_and_before_a_row(returned: Returned) -> None:
    values = (
        Aggregate("top", "MAX", "amount", start=-1, before="previous"),
        Aggregate("of_one", "SUM", "amount", when=("kind", 1)),
        Aggregate("top_of_two", "MAX", "amount", before="previous_of_two", when=("kind", 2)),
        Aggregate("seen", "COUNT"),
    )
    rows = [("a", 5, 1), ("b", 9, 2), ("a", 3, 2), ("a", None, 1), ("b", 9, 1), ("a", 7, 1)]
    assert returned(KeyedAggregate(("name",), values), [NAME, ("amount", BIGINT), ("kind", INT)], *rows) == [
        # top, of_one, top_of_two, seen, previous, previous_of_two
        (5, 5, 0, 1, -1, 0),
        (9, 0, 9, 1, -1, 0),
        (5, 5, 3, 2, 5, 0),
        (5, 5, 3, 3, 5, 3),
        (9, 9, 9, 2, 9, 9),
        (7, 12, 3, 4, 5, 3),
    ]


def test_values_of_any_size_are_restored_from_state(returned: Returned) -> None:
    aggregate = KeyedAggregate(
        ("name",), (Aggregate("total", "SUM", "amount"), Aggregate("top", "MAX", "amount", start=-1))
    )
    amounts = [63, 1, -129, 2**62, -(2**62), -(2**40), 2**63 - 1]
    totals = [63, 64, -65, 2**62 - 65, -65, -65 - 2**40, 2**63 - 1 - 65 - 2**40]
    tops = [63, 63, 63, 2**62, 2**62, 2**62, 2**63 - 1]
    rows = [("a", amount) for amount in amounts]
    assert returned(aggregate, [NAME, ("amount", BIGINT)], *rows) == list(zip(totals, tops, strict=True))


def test_a_key_may_have_two_columns(returned: Returned) -> None:
    aggregate = KeyedAggregate(("name", "start_ms"), (Aggregate("seen", "COUNT"),))
    rows = [("a", 1), ("a", 2), ("b", 1), ("a", 1)]
    assert returned(aggregate, [NAME, ("start_ms", BIGINT)], *rows) == [(1,), (1,), (1,), (2,)]
