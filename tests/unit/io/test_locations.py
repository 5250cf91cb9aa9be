"""Documents of a folder and of a bucket: written as a whole, listed by suffix."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from flink_job.io.locations import LocationError, open_location


class _Bucket(BaseHTTPRequestHandler):
    """S3's answers to PUT and GET of objects; nobody may write under `refused/`."""

    objects: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "refused" in self.path:
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            return
        self.objects[self.path] = content
        self._answer(200, b"")

    def do_GET(self) -> None:
        self._answer(200, self.objects[self.path])

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_object_is_written_under_the_prefix(endpoint: str) -> None:
    location = open_location("s3://bucket/tariffs/", "eu-west-1", endpoint)
    location.write("acme/a.json.t.2026-01-01.good", b"{}")
    assert list(_Bucket.objects) == ["/bucket/tariffs/acme/a.json.t.2026-01-01.good"]
    assert location.read("acme/a.json.t.2026-01-01.good") == b"{}"


def test_an_object_that_may_not_be_written_is_named(endpoint: str) -> None:
    with pytest.raises(LocationError, match=r"s3://bucket/refused/a\.good: .*AccessDenied"):
        open_location("s3://bucket/refused", "eu-west-1", endpoint).write("a.good", b"{}")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Nothing but the file is left in the folder, and it is listed by its own suffix only."""
    (tmp_path / "acme").mkdir()
    location = open_location(str(tmp_path))
    for content in (b"first", b"second"):
        location.write("acme/a.json.good", content)
    assert [name for name, _ in location.list(".good")] == ["acme/a.json.good"]
    assert list(location.list(".json")) == []
    assert (tmp_path / "acme" / "a.json.good").read_bytes() == b"second"
    assert len(list((tmp_path / "acme").iterdir())) == 1
    with pytest.raises(OSError, match="missing"):
        location.write("missing/a.good", b"")
