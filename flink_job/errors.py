"""Base classes of the errors that a user can correct; their messages name the fault and the remedy."""

from __future__ import annotations


class MeteringError(Exception):
    """An input, document, setting or reference that cannot be used. Commands end with its message."""


class CodedError(MeteringError):
    """An error with a published reason code (see flink_job.metering.reasons)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = str(code)
