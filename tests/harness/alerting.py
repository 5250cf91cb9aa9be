"""Helpers for alerting: rows of the alerts stream, functions in a separate process, a proxy that can fail."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from flink_job.dataflow.environment import PROJECT

TEN = datetime(2026, 3, 28, 10, tzinfo=UTC)


def alert(alert_id: str, number: int = 0, state: str = "raised", **changed: Any) -> dict[str, Any]:
    """A row of the alerts stream, as the job writes it."""
    row = {
        "alert_id": alert_id,
        "change_number": number,
        "rule_id": "hot",
        "rule_version": "v",
        "title": "Bearing too hot",
        "severity": "major",
        "state": state,
        "entity": "m-1",
        "site_path": "zaragoza/casting/line-1/m-1",
        "tags": "",
        "signal": "temperature",
        "unit": "degC",
        "value": 85.5,
        "threshold": 80.0,
        "episode_start": "2026-03-28 10:00:00",
        "event_time": f"2026-03-28 10:{number:02d}:00",
        "cost": 12.5,
        "currency": "EUR",
        "historical": False,
        "muted": False,
        "latch": False,
        "inhibited_by": "",
        "hint": "Stop the machine.",
        "detail": "",
        "arrival": "2026-03-28 10:05:00",
    }
    return {**row, **changed}


def kinesis_event(*rows: dict[str, Any]) -> dict[str, Any]:
    """The event with which Lambda invokes the notifier."""
    records = [
        {
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-0:{number}",
            "kinesis": {
                "sequenceNumber": str(number),
                "partitionKey": row["entity"],
                "data": base64.b64encode(json.dumps(row).encode()).decode(),
            },
        }
        for number, row in enumerate(rows)
    ]
    return {"Records": records}


def run_function(entry: str, event: dict[str, Any], environment: dict[str, str], before: str = "") -> int:
    """Invoke a function in a separate process and return its exit code.

    `before` is Python code that runs first, for example to make the process fail.
    """
    code = (
        f"import json, sys\nfrom deploy.alerting.runtime import {entry} as entry\n{before}\n"
        "print(json.dumps(entry.handler(json.load(sys.stdin), None)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(event),
        env={**os.environ, **environment},
        cwd=PROJECT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode > 0:
        raise AssertionError(done.stderr)
    return done.returncode


@dataclass
class Proxy:
    """Forwards requests to an endpoint. While `broken` it responds 503 without forwarding, or (`lost`) after it."""

    target: str
    url: str = ""
    broken: bool = False
    lost: bool = False
    seen: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1."""
    state = Proxy(target)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.seen.append(content)
            status, answer = (503, b"") if state.broken and not state.lost else self._forward(content)
            if state.broken:
                status, answer = 503, b"<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _forward(self, content: bytes) -> tuple[int, bytes]:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
            request = urllib.request.Request(state.target + self.path, content, headers)
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


def notified(messages: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    """(alert id, change number, state) of each change in messages, in order."""
    return [(row["alert_id"], row["change_number"], row["state"]) for m in messages for row in m["alerts"]]


def parse_lines(path: Path) -> list[dict[str, Any]]:
    """Parse a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
