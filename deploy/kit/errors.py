"""Errors of functions to Sentry, where the variable SENTRY_SECRET names the secret that holds its DSN."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], Any], Any]


def reported(handler: Handler) -> Handler:
    """A handler whose exceptions are reported, and raised. Without the variable nothing is loaded or looked up."""

    @functools.wraps(handler)
    def reporting(event: dict[str, Any], lambda_context: Any) -> Any:
        if not os.environ.get("SENTRY_SECRET"):
            return handler(event, lambda_context)
        from flink_job.sentry import report_errors

        with report_errors(_dsn(), os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")):
            return handler(event, lambda_context)

    return reporting


@functools.cache
def _dsn() -> str:
    """Looked up once in the life of a process."""
    from flink_job.sentry import destination_here

    return destination_here().found()
