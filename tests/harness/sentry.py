"""HTTP server that receives the envelopes of the Sentry SDK."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Received:
    """The received envelopes, decompressed, and the DSN of the server."""

    dsn: str = ""
    envelopes: list[bytes] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The error events in the envelopes."""
        found = [json.loads(line) for body in self.envelopes for line in body.splitlines() if line.startswith(b"{")]
        return [item for item in found if "exception" in item]


@contextlib.contextmanager
def receiver() -> Iterator[Received]:
    """Run the server on a free port of 127.0.0.1."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.envelopes.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        received.dsn = f"http://key@127.0.0.1:{server.server_port}/1"
        yield received
        server.shutdown()
