"""Errors of Python functions reach Sentry from the worker that Flink starts for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyflink.datastream import KeyedProcessFunction
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, TableFunction, udf, udtf

from flink_job.config import Job
from flink_job.dataflow.environment import create_environment, mini_cluster
from flink_job.sentry import REDACTED, Destination
from tests.harness.sentry import receiver
from udfs.error_reports import ReportedProcess, reported, reported_process


class Poisoned(ScalarFunction):  # type: ignore[misc]
    """Fails on one value, and says which."""

    def eval(self, value: pd.Series) -> pd.Series:
        if (value == 13).any():
            raise ValueError(f"poison in {value.tolist()}, meter-of-ana")
        return value


class PoisonedRows(TableFunction):  # type: ignore[misc]
    """Fails after its first row."""

    def eval(self, value: int) -> Iterator[int]:
        yield value
        raise ValueError("meter-of-ana")


class PoisonedProcess(KeyedProcessFunction):  # type: ignore[misc]
    """Fails after its first row, and at its timers."""

    def process_element(self, value: Any, ctx: Any) -> Iterator[Any]:
        yield value
        raise ValueError("meter-of-ana")

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[Any]:
        raise KeyError("meter-of-ana")
        yield


def test_a_worker_reports_its_error_and_the_job_fails(tmp_path: Path) -> None:
    job = Job()
    t_env = create_environment(job, mini_cluster(job, tmp_path))
    with receiver() as received:
        for name, function in {
            "watched": reported(poisoned(), Destination(received.dsn)),
            "unwatched": reported(poisoned(), Destination()),
        }.items():
            t_env.create_temporary_function(name, function)
        row = DataTypes.ROW([DataTypes.FIELD("v", DataTypes.BIGINT())])
        for name, numbers in {"good": (1, 2, 3), "bad": (1, 2, 13)}.items():
            t_env.create_temporary_view(name, t_env.from_elements([(number,) for number in numbers], row))
        assert sorted(values(t_env, "SELECT watched(v) FROM good")) == [1, 2, 3]
        assert received.events == []
        with pytest.raises(Exception, match="poison in"):
            values(t_env, "SELECT unwatched(v) FROM bad")
        assert received.events == []
        with pytest.raises(Exception, match="poison in"):
            values(t_env, "SELECT watched(v) FROM bad")
    # One, or one for each start of the job.
    assert received.events
    for event in received.events:
        [error] = event["exception"]["values"]
        assert (error["type"], error["value"]) == ("ValueError", REDACTED)
        assert event["tags"] == {"part": "Poisoned"}
    assert b"meter-of-ana" not in b"".join(received.envelopes)


def test_functions_that_make_rows_report_while_they_make_them() -> None:
    with receiver() as received:
        destination = Destination(received.dsn)
        rows = reported(udtf(PoisonedRows(), result_types=["INT"]), destination)._func
        rows.open(None)
        made = rows.eval(7)
        assert next(made) == 7
        with pytest.raises(ValueError, match="meter-of-ana"):
            next(made)
        process = reported_process(PoisonedProcess(), destination)
        assert isinstance(process, ReportedProcess)
        process.open(None)
        with pytest.raises(ValueError, match="meter-of-ana"):
            list(process.process_element(1, None))
        with pytest.raises(KeyError):
            list(process.on_timer(1, None))
    types = [event["exception"]["values"][0]["type"] for event in received.events]
    assert types == ["ValueError", "ValueError", "KeyError"]
    assert b"meter-of-ana" not in b"".join(received.envelopes)


def test_functions_stay_as_they_are_where_nothing_is_reported() -> None:
    process = PoisonedProcess()
    assert reported_process(process, Destination()) is process
    wrapper = poisoned()
    assert isinstance(reported(wrapper, Destination())._func, Poisoned)


def poisoned() -> Any:
    return udf(Poisoned(), result_type="BIGINT", func_type="pandas")


def values(t_env: Any, sql: str) -> list[int]:
    with t_env.execute_sql(sql).collect() as rows:
        return [row[0] for row in rows]
