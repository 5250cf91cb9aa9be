"""Aggregates of the rows under a key, in both state backends: RocksDB serializes values, the heap keeps objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import DataTypes, StreamTableEnvironment

from flink_job.dataflow.environment import CONNECTOR_JAR
from flink_job.dataflow.operators.keyed_aggregate import Aggregate, KeyedAggregate, PartialSum, aggregate_by_key
from flink_job.dataflow.uids import Uid

Returned = Callable[..., list[tuple[Any, ...]]]
METER = ("meter_id", DataTypes.STRING())
WHOLE, SMALL = DataTypes.BIGINT(), DataTypes.INT()


@pytest.fixture(params=["rocksdb", "hashmap"])
def returned(request: pytest.FixtureRequest) -> Returned:
    """The added columns for each of some rows, in the order in which they are given; `columns` are names and types."""

    def of(aggregate: KeyedAggregate, columns: list[tuple[str, Any]], *rows: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        configuration = Configuration()
        configuration.set_string("state.backend.type", request.param)
        configuration.set_string("pipeline.object-reuse", "true")
        configuration.set_string("pipeline.jars", CONNECTOR_JAR.as_uri())
        stream_env = StreamExecutionEnvironment.get_execution_environment(configuration)
        stream_env.set_parallelism(1)
        t_env = StreamTableEnvironment.create(stream_env)
        schema = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in columns])
        t_env.create_temporary_view("given", t_env.from_elements(list(rows), schema))
        aggregate_by_key(t_env, "given", "returned", aggregate, ttl_days=1, uid=Uid.BILL)
        found = t_env.sql_query(f"SELECT {', '.join(aggregate.names())} FROM returned").execute()
        with found.collect() as results:
            return [tuple(row) for row in results]

    return of


def test_each_key_has_its_own_values_and_the_highest_tells_what_it_was(returned: Returned) -> None:
    values = (
        Aggregate("top", "MAX", "amount", start=-1, before="previous"),
        Aggregate("of_one", "SUM", "amount", when=("kind", 1)),
        Aggregate("top_of_two", "MAX", "amount", before="previous_of_two", when=("kind", 2)),
        Aggregate("seen", "COUNT"),
    )
    rows = [("a", 5, 1), ("b", 9, 2), ("a", 3, 2), ("a", None, 1), ("b", 9, 1), ("a", 7, 1)]
    assert returned(KeyedAggregate(("meter_id",), values), [METER, ("amount", WHOLE), ("kind", SMALL)], *rows) == [
        # top, of_one, top_of_two, seen, previous, previous_of_two
        (5, 5, 0, 1, -1, 0),
        (9, 0, 9, 1, -1, 0),
        (5, 5, 3, 2, 5, 0),
        (5, 5, 3, 3, 5, 3),
        (9, 9, 9, 2, 9, 9),
        (7, 12, 3, 4, 5, 3),
    ]


def test_values_of_any_size_come_back_from_state_as_they_were(returned: Returned) -> None:
    aggregate = KeyedAggregate(
        ("meter_id",), (Aggregate("total", "SUM", "amount"), Aggregate("top", "MAX", "amount", start=-1))
    )
    amounts = [63, 1, -129, 2**62, -(2**62), -(2**40), 2**63 - 1]
    totals = [63, 64, -65, 2**62 - 65, -65, -65 - 2**40, 2**63 - 1 - 65 - 2**40]
    tops = [63, 63, 63, 2**62, 2**62, 2**62, 2**63 - 1]
    rows = [("a", amount) for amount in amounts]
    assert returned(aggregate, [METER, ("amount", WHOLE)], *rows) == list(zip(totals, tops, strict=True))


def test_a_key_may_be_of_two_columns(returned: Returned) -> None:
    aggregate = KeyedAggregate(("meter_id", "start_ms"), (Aggregate("seen", "COUNT"),))
    rows = [("a", 1), ("a", 2), ("b", 1), ("a", 1)]
    assert returned(aggregate, [METER, ("start_ms", WHOLE)], *rows) == [(1,), (1,), (1,), (2,)]


def test_parts_are_summed_by_a_further_column_and_a_whole_one_stands_for_itself(returned: Returned) -> None:
    aggregate = KeyedAggregate(
        ("meter_id",),
        (Aggregate("peak", "MAX", "demand", before="before"),),
        PartialSum("demand", total="whole", part="part", by="start_ms"),
    )
    columns = [METER, ("start_ms", WHOLE), ("whole", WHOLE), ("part", WHOLE)]
    rows = [("a", 0, None, 4), ("a", 900, None, 3), ("a", 0, None, 5), ("a", 1800, 7, 70), ("a", 900, None, -8)]
    # Quarter hour 0 is 4, then 4 + 5; that of 900 is 3, and after a correction by -8 no less than 0.
    assert returned(aggregate, columns, *rows) == [
        # peak, before, demand
        (4, 0, 4),
        (4, 4, 3),
        (9, 4, 9),
        (9, 9, 7),
        (9, 9, 0),
    ]
