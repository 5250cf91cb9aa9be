"""Objects on S3 are read with bounded memory, over HTTP: what is larger than it may be is refused before it is read."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flink_job.io.locations import open_location
from flink_job.io.records import InputError, read_records
from flink_job.io.remote import sync
from flink_job.metering.bounds import MAX_DOCUMENT_BYTES, MAX_INPUT_BYTES

MIB = 1 << 20
LINE = b'{"meter_id": "m"}'.ljust(1023) + b"\n"
LARGE = 64 * MIB
LIST = """<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated><Contents><Key>{}</Key>
<ETag>"1"</ETag><Size>1</Size></Contents></ListBucketResult>"""


class _Objects(BaseHTTPRequestHandler):
    """S3's answers for a bucket with a large object under every key, and one that says it is too large."""

    def do_GET(self) -> None:
        path, _, asked = self.path.partition("?")
        if "list-type" in asked:
            prefix = dict(part.split("=", 1) for part in asked.split("&"))["prefix"].replace("%2F", "/")
            key = f"{prefix}large.json" if "tariffs" in prefix else f"{prefix}large.parquet"
            is_partitions = "event_date" in prefix
            self._answer(b"<ListBucketResult/>" if is_partitions else LIST.format(key).encode(), 1)
        elif path.endswith("too-large.ndjson"):
            self.send_response(200)
            self.send_header("Content-Length", str(MAX_INPUT_BYTES + 1))
            self.end_headers()
        else:
            self._answer(LINE * (MIB // len(LINE)), LARGE // MIB)

    def _answer(self, body: bytes, times: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * times))
        self.send_header("ETag", '"1"')
        self.end_headers()
        for _ in range(times):
            try:
                self.wfile.write(body)
            except OSError:
                return  # the reader has seen enough

    def log_message(self, format: str, *values: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Objects)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    return endpoint


@pytest.fixture
def peak() -> Iterator[list[int]]:
    """Afterwards: the most memory that was in use [bytes], the server's and the client's own included."""
    found: list[int] = []
    tracemalloc.start()
    yield found
    found.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert found[0] < LARGE // 2


@pytest.mark.usefixtures("s3", "peak")
def test_an_uploaded_file_is_not_held_in_memory() -> None:
    assert sum(1 for _ in read_records("s3://bucket/inbox/large.ndjson")) == LARGE // len(LINE)


@pytest.mark.usefixtures("s3", "peak")
def test_a_file_of_the_lake_is_not_held_in_memory(s3: str, tmp_path: Path) -> None:
    assert sync("bucket", "lake", "costs", tmp_path, s3) == 1
    [found] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (found.name, found.stat().st_size) == ("large.parquet", LARGE)


@pytest.mark.usefixtures("s3", "peak")
def test_of_a_document_that_is_too_large_no_more_is_read_than_shows_it(s3: str) -> None:
    tariffs = open_location("s3://bucket/tariffs/", "eu-west-1", s3)
    [(name, _)] = tariffs.list(".json")
    assert len(tariffs.read(name)) == MAX_DOCUMENT_BYTES + 1
    found = open_location("s3://bucket", "eu-west-1", s3).read_changed("rules.yaml", "")
    assert found is not None
    assert len(found[1]) == MAX_DOCUMENT_BYTES + 1


@pytest.mark.usefixtures("s3")
def test_a_file_that_is_too_large_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"s3://bucket/inbox/too-large.ndjson: .* split it"):
        list(read_records("s3://bucket/inbox/too-large.ndjson"))
