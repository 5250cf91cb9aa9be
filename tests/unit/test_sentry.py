"""Errors reach Sentry with their type and place, and with nothing of a record or a person; off, nothing is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.kit.errors import reported
from flink_job.sentry import REDACTED, initialise, redacted, report_errors
from tests.harness.sentry import receiver

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("ana@plant.example", "83.59", "meter-of-ana")


def fail(payload: bytes) -> None:
    """Raises as a reader would that says what it read."""
    owner = payload.decode()
    raise ValueError(f"cannot read {owner}")


def test_an_error_is_sent_without_what_it_says() -> None:
    with receiver() as received, pytest.raises(ValueError, match="meter-of-ana"), report_errors(received.dsn, "main"):
        fail(" ".join(SECRETS).encode())
    [event] = received.events
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", REDACTED)
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"] == {"part": "main"}
    for secret in SECRETS:
        assert secret.encode() not in b"".join(received.envelopes)


def test_two_parts_of_a_process_are_told_apart() -> None:
    """A worker of Flink runs several functions."""
    with receiver() as received:
        for part in ("ReadReading", "PriceReading"):
            with pytest.raises(ValueError, match="cannot read"), report_errors(received.dsn, part):
                fail(b"")
    assert [event["tags"]["part"] for event in received.events] == ["ReadReading", "PriceReading"]


def test_an_error_behind_another_is_scrubbed_as_well() -> None:
    def chained() -> None:
        try:
            fail(b"meter-of-ana")
        except ValueError as error:
            raise RuntimeError("of ana@plant.example") from error

    with receiver() as received, pytest.raises(RuntimeError), report_errors(received.dsn, "x"):
        chained()
    [event] = received.events
    assert [value["type"] for value in event["exception"]["values"]] == ["ValueError", "RuntimeError"]
    assert b"ana" not in b"".join(received.envelopes).replace(b"analy", b"")


def test_what_is_sent_is_listed() -> None:
    """Fields that a future SDK adds to an event are not sent."""
    frame = {
        "function": "f",
        "lineno": 3,
        "vars": {"payload": "x"},
        "context_line": "raise X('ana')",
        "abs_path": "/home/ana",
    }
    error = {"type": "X", "value": "ana", "mechanism": {"data": 1}, "stacktrace": {"frames": [frame]}}
    event: Any = {
        "event_id": "e", "level": "error", "user": {"email": "ana@plant.example"}, "request": {"data": "x"},
        "extra": {"a": 1}, "breadcrumbs": {"values": [1]}, "contexts": {"c": 1}, "modules": {"m": "1"},
        "message": "ana", "logentry": {"message": "ana"}, "server_name": "ana-laptop", "threads": {"values": [1]},
        "exception": {"values": [error]},
    }  # fmt: skip
    assert redacted(event, {}) == {
        "event_id": "e",
        "level": "error",
        "exception": {
            "values": [
                {
                    "type": "X",
                    "module": None,
                    "value": REDACTED,
                    "stacktrace": {"frames": [{"function": "f", "lineno": 3}]},
                }
            ]
        },
    }


def test_a_function_reports_what_its_handler_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    @reported
    def handler(event: dict[str, Any], lambda_context: Any) -> int:
        if "bad" in event:
            fail(event["bad"])
        return len(event)

    with receiver() as received:
        monkeypatch.setattr("deploy.kit.errors._dsn", lambda: received.dsn)
        monkeypatch.setenv("SENTRY_SECRET", "the-arn")
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "metering-dev-sweeper")
        assert handler({"a": 1}, None) == 1
        assert received.events == []
        with pytest.raises(ValueError, match="cannot read"):
            handler({"bad": b"meter-of-ana"}, None)
    [event] = received.events
    assert event["tags"] == {"part": "metering-dev-sweeper"}
    assert b"meter-of-ana" not in b"".join(received.envelopes)


def test_a_dsn_that_is_none_stops_nothing() -> None:
    assert initialise("no dsn") is False
    with pytest.raises(ValueError, match="cannot read"), report_errors("no dsn", "x"):
        fail(b"")


def test_off_nothing_is_loaded() -> None:
    """Neither by the module nor by a handler that runs, nor by a function of the job."""
    code = """
import sys
from deploy.kit.errors import reported
from flink_job.sentry import report_errors
from udfs import error_reports as reports
assert reported(lambda event, context: 7)({}, None) == 7
with report_errors(""):
    pass
sys.exit("sentry_sdk" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
