"""A proxy between the job and the AWS endpoint that injects failures of AWS: throttling, errors, connections that
break or hang, responses lost after the call, partially failed batches.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

SEED = 11
STALL_S = 30.0


@dataclass(frozen=True)
class Dose:
    """Shares of calls that fail, by kind of failure, and of records in a batch that fail.

    `calls` selects the calls (such as `GetRecords`); empty selects all.
    """

    throttled: float = 0.0
    server_error: float = 0.0
    reset: float = 0.0
    stalled: float = 0.0
    answer_lost: float = 0.0
    failed_records: float = 0.0
    calls: tuple[str, ...] = ()


@dataclass
class Proxy:
    """Forwards calls to `places` by service (`Kinesis`, `Firehose`, ... or `*`), and injects failures of `dose` if set.

    `done` counts injected failures by kind.
    """

    places: dict[str, str]
    dose: Dose | None = None
    done: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def trouble(self, call: str) -> str:
        """Kind of failure for a call; "" for none."""
        dose = self.dose
        if dose is None or (dose.calls and call not in dose.calls):
            return ""
        with self._lock:
            draw = self._chance.random()
        for kind in ("throttled", "server_error", "reset", "stalled", "answer_lost"):
            share = getattr(dose, kind)
            if draw < share:
                return kind
            draw -= share
        return ""

    def spared(self, records: list[Any]) -> tuple[list[Any], list[bool]]:
        """(records of a batch to forward, a flag for each record)."""
        share = self.dose.failed_records if self.dose else 0.0
        with self._lock:
            through = [self._chance.random() >= share for _ in records]
        return [record for record, goes in zip(records, through, strict=True) if goes], through

    def count(self, what: str) -> None:
        with self._lock:
            self.done[what] += 1


@contextlib.contextmanager
def proxied(places: dict[str, str]) -> Iterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(places)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore connections broken by killed clients."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service, _, call = self.headers.get("X-Amz-Target", "_.").partition(".")
        service = service.partition("_")[0]
        call = call or _action(body)
        trouble = self.proxy.trouble(call)
        if trouble:
            self.proxy.count(trouble)
        act: dict[str, Callable[[], None]] = {
            "throttled": lambda: self._answer(400, _error(service)),
            "server_error": lambda: self._answer(500, {"__type": "InternalFailure", "message": "on purpose"}),
            "reset": self._reset,
        }
        if trouble in act:
            act[trouble]()
            return
        if trouble == "stalled":
            time.sleep(STALL_S)
        if self.proxy.dose and self.proxy.dose.failed_records and call in ("PutRecordBatch", "PutRecords"):
            self._partly(service, call, body)
            return
        status, headers, content = self._forward(service, body)
        if trouble == "answer_lost":
            self._reset()
            return
        self._answer(status, content, headers)

    do_GET = do_PUT = do_HEAD = do_POST

    def log_message(self, *_: object) -> None:
        pass

    def _forward(self, service: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        place = urlparse(self.proxy.places.get(service, self.proxy.places["*"]))
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "content-length")}
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _NOT_FORWARDED}
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _partly(self, service: str, call: str, body: bytes) -> None:
        """Fail some records of a batch in the response, and forward the others."""
        document = json.loads(body)
        through, which = self.proxy.spared(document["Records"])
        failed = "RequestResponses" if call == "PutRecordBatch" else "Records"
        answers: Iterator[Any] = iter(())
        if through:
            _, _, content = self._forward(service, json.dumps({**document, "Records": through}).encode())
            answers = iter(json.loads(content)[failed])
        refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "on purpose"}
        results = [next(answers) if goes else refused for goes in which]
        self.proxy.done["failed_records"] += which.count(False)
        count = "FailedPutCount" if call == "PutRecordBatch" else "FailedRecordCount"
        self._answer(200, {count: which.count(False), failed: results})

    def _answer(self, status: int, content: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "application/x-amz-json-1.1"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def _reset(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)


_NOT_FORWARDED = ("connection", "content-length", "transfer-encoding", "date", "server")


def _action(body: bytes) -> str:
    """Name of the call in a form, the protocol of older services."""
    return parse_qs(body.decode("ascii", "replace")).get("Action", [""])[0] if body.startswith(b"Action=") else ""


def _error(service: str) -> dict[str, str]:
    kind = "ProvisionedThroughputExceededException" if service == "Kinesis" else "LimitExceededException"
    return {"__type": kind, "message": "Rate exceeded, on purpose"}
