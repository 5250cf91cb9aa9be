"""Webhooks against hostile receivers: slow, endless or redirecting responses, and names of private addresses."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from deploy.alerting.runtime.channels import Channels, Message, SendError
from deploy.alerting.runtime.routes import Recipient
from deploy.alerting.runtime.webhook import WebhookError, Webhooks, checked_url, is_public

MESSAGE = Message("id", "subject", "text", "short", "group", [])
OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


@contextlib.contextmanager
def receiver(answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server on a free port that passes each connection to `answer`; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                answer(tls.wrap_socket(connection, server_side=True) if tls else connection)

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def send(port: int, total_s: float = 0.5, allow_local: bool = True) -> float:
    """Send to a receiver; return the time taken [s], whether it was accepted or not."""
    channels = Channels(None, None, Webhooks(allow_local, total_s))
    start = time.monotonic()
    try:
        channels.send(Recipient("hook", webhook=f"http://127.0.0.1:{port}/", secret="s"), MESSAGE)
    finally:
        send.took = time.monotonic() - start  # type: ignore[attr-defined]
    return float(send.took)  # type: ignore[attr-defined]


def request_of(connection: socket.socket) -> bytes:
    """Read a request to the end of its body, a JSON object."""
    content = b""
    while not content.endswith(b"}"):
        content += connection.recv(65536)
    return content


def drip_headers(connection: socket.socket) -> None:
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        connection.sendall(f"X-{number}: y\r\n".encode())
        time.sleep(0.1)


def drip_continue(connection: socket.socket) -> None:
    request_of(connection)
    for _ in range(100):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.1)


def stay_silent(connection: socket.socket) -> None:
    time.sleep(10)


@pytest.mark.parametrize("answer", [drip_headers, drip_continue, stay_silent])
def test_a_slow_response_is_cut_off_in_time(answer: Callable[[socket.socket], None]) -> None:
    with receiver(answer) as port, pytest.raises(SendError, match="no response within"):
        send(port)
    assert send.took < 2  # type: ignore[attr-defined]


def test_a_slow_handshake_is_cut_off_in_time() -> None:
    """The server sends the first bytes of a TLS record one at a time."""

    def answer(connection: socket.socket) -> None:
        for byte in b"\x16\x03\x03\x40\x00" + bytes(100):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    start = time.monotonic()
    with receiver(answer) as port, pytest.raises(WebhookError, match="no response within"):
        Webhooks(True, 0.5).post(f"https://127.0.0.1:{port}/", b"{}", {})
    assert time.monotonic() - start < 2


def test_a_large_response_is_not_read() -> None:
    sent = [0]

    def send_endlessly(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000000\r\n\r\n")
        while True:
            sent[0] += connection.send(bytes(65536))

    with receiver(send_endlessly) as port:
        assert send(port) < 0.5
        time.sleep(0.1)
    assert sent[0] < 20_000_000


def test_a_redirect_is_not_followed() -> None:
    requests: list[bytes] = []

    def redirect(connection: socket.socket) -> None:
        requests.append(request_of(connection))
        connection.sendall(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with receiver(redirect) as port, pytest.raises(SendError, match="answered 307"):
        send(port)
    assert len(requests) == 1


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "169.254.170.2"),
        *("0.0.0.0", "100.64.0.1", "198.18.0.1", "192.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1"),
        *("::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "2001:db8::1", "not an address"),
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    assert not is_public(address)
    hooks = Webhooks(resolver=lambda host, port: ["93.184.215.14", address])
    with pytest.raises(WebhookError, match="not a public address"):
        hooks.post("https://hooks.example/", b"{}", {})


def test_public_addresses_are_accepted() -> None:
    assert all(map(is_public, ("93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "2130706433", "0x7f000001", "017700000001", "0"])
def test_local_hosts_are_refused_in_every_notation(host: str) -> None:
    """Resolved by the system, which accepts numbers as addresses."""
    with pytest.raises(WebhookError, match=r"not a public address|cannot be resolved"):
        Webhooks().post(f"https://{host}/", b"{}", {})


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example/", "ftp://x/", "file:///etc/passwd", "https://", "https:///x", "https://u:p@x/"),
        *(
            "https://x:0/",
            "https://x:99999/",
            "https://x/\r\nHost: y",
            "https://x/ y",
            "https://ex\u00e4mple/",
            "",
            "//x/",
        ),
        "https://x/" + "y" * 3000,
    ],
)
def test_invalid_urls_are_refused(url: str) -> None:
    with pytest.raises(WebhookError):
        checked_url(url)


def test_a_slow_resolver_is_cut_off_in_time() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(2)
        return ["8.8.8.8"]

    start = time.monotonic()
    with pytest.raises(WebhookError, match="not resolved within"):
        Webhooks(total_s=0.3, resolver=slow).post("https://hooks.example/", b"{}", {})
    assert time.monotonic() - start < 1


def test_the_connection_uses_the_checked_address(tmp_path: Path) -> None:
    """The name is resolved once, so a second answer has no effect; TLS verifies the name."""
    requests: list[bytes] = []
    resolved: list[str] = []

    def answer(connection: socket.socket) -> None:
        requests.append(request_of(connection))
        connection.sendall(OK)

    def resolver(host: str, port: int) -> list[str]:
        resolved.append(host)
        return ["127.0.0.1"] if len(resolved) == 1 else ["169.254.169.254"]

    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hooks.example",
         "-addext", "subjectAltName=DNS:hooks.example", "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    hooks = Webhooks(True, 5, resolver)
    hooks._tls = ssl.create_default_context(cafile=str(certificate))
    with receiver(answer, server) as port:
        hooks.post(f"https://hooks.example:{port}/in?a=b", b"{}", {"Idempotency-Key": "1"})
        assert resolved == ["hooks.example"]
        assert requests[0].startswith(b"POST /in?a=b HTTP/1.1\r\nHost: hooks.example:")
        resolved.clear()
        with pytest.raises(WebhookError, match="certificate"):
            hooks.post(f"https://other.example:{port}/", b"{}", {})
    assert len(requests) == 1


def test_a_queue_outside_sqs_is_refused() -> None:
    """The client would send signed requests to any address."""
    channels = Channels(None, None, Webhooks())
    with pytest.raises(SendError, match="not the URL of an SQS queue"):
        channels.send(Recipient("q", sqs="http://169.254.169.254/latest"), MESSAGE)
