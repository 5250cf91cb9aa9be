"""Reports errors of Lambda functions to Sentry if SENTRY_SECRET names the secret with its DSN."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], Any], Any]


def reported(handler: Handler) -> Handler:
    """Decorate a handler to report its exceptions and raise them. Without SENTRY_SECRET nothing is imported."""

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
    """The DSN, read once per process."""
    from flink_job.sentry import destination_from_environment

    return destination_from_environment().resolve_dsn()
