"""Wrappers of functions that report errors from the Python worker. Without a DSN no function is wrapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.table.udf import ScalarFunction, TableFunction

from flink_job.sentry import Destination, report_errors


class _Reporting:
    """Base of the wrappers: calls `function`, reports its exceptions and raises them again."""

    def __init__(self, function: Any, destination: Destination) -> None:
        self.function, self.destination = function, destination
        self.part = type(function).__name__

    def open(self, context: Any) -> None:
        """Resolve the DSN in the worker, then open the function."""
        self.dsn = self.destination.resolve_dsn()
        with report_errors(self.dsn, self.part):
            self.function.open(context)

    def close(self) -> None:
        """Close the function."""
        self.function.close()

    def each(self, function: Callable[..., Any], *values: Any) -> Iterator[Any]:
        """Yield the rows of a generator function, and report its exceptions."""
        with report_errors(self.dsn, self.part):
            yield from function(*values) or ()


class ReportedScalar(_Reporting, ScalarFunction):  # type: ignore[misc]
    """A scalar function, vectorised or not, whose errors are reported."""

    def is_deterministic(self) -> bool:
        return bool(self.function.is_deterministic())

    def eval(self, *values: Any) -> Any:
        with report_errors(self.dsn, self.part):
            return self.function.eval(*values)


class ReportedTable(_Reporting, TableFunction):  # type: ignore[misc]
    """A table function whose errors are reported."""

    def is_deterministic(self) -> bool:
        return bool(self.function.is_deterministic())

    def eval(self, *values: Any) -> Iterator[Any]:
        return self.each(self.function.eval, *values)


class ReportedProcess(_Reporting, KeyedProcessFunction):  # type: ignore[misc]
    """A keyed process function whose errors are reported."""

    def open(self, runtime_context: RuntimeContext) -> None:
        _Reporting.open(self, runtime_context)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        return self.each(self.function.process_element, value, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        return self.each(self.function.on_timer, timestamp, ctx)


def reported(wrapper: Any, destination: Destination) -> Any:
    """Return a function made by `udf` or `udtf`, with its errors reported if a DSN is set."""
    if destination.is_set:
        kind = ReportedTable if isinstance(wrapper._func, TableFunction) else ReportedScalar
        wrapper._func = kind(wrapper._func, destination)
    return wrapper


def reported_process(function: KeyedProcessFunction, destination: Destination) -> KeyedProcessFunction:
    """Return a keyed process function, with its errors reported if a DSN is set."""
    return ReportedProcess(function, destination) if destination.is_set else function
