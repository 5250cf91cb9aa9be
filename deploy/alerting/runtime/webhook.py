"""HTTPS requests to URLs from routes documents: limited in time, and to public addresses only.

- The host name is resolved once, all its addresses must be public, and the connection uses the address that was
  checked. So a name that resolves differently a moment later (DNS rebinding) has no effect.
- `TOTAL_S` limits the whole call, from the resolver to the last header of the response. A timer shuts the socket down,
  because socket timeouts restart with each byte.
- The body of a response is not read, and redirects are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as ResolverTimeoutError
from threading import Timer
from urllib.parse import SplitResult, urlsplit

TOTAL_S = 5.0
MAX_URL = 2048
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_RESOLVERS = ThreadPoolExecutor(8, "resolver")

#: (host, port) -> IP addresses.
Resolver = Callable[[str, int], Sequence[str]]


class WebhookError(RuntimeError):
    """A request that was refused or failed; the message names the URL and the reason."""


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a host name, from the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """True for an address of the public internet. An address that embeds an IPv4 address is checked by the latter."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        embedded = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in _NAT64:
            embedded = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def checked_url(url: str, allow_local: bool = False) -> SplitResult:
    """Validate a webhook's URL and return its parts. `allow_local` permits `http` (tests only). Raises WebhookError."""
    if len(url) > MAX_URL or not url.isascii() or any(ord(sign) <= 32 for sign in url):
        raise WebhookError(f"webhook {url[:80]!r}: at most {MAX_URL} printable ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookError(f"webhook {url!r}: {error}") from None
    if parts.scheme != "https" and not (allow_local and parts.scheme == "http"):
        raise WebhookError(f"webhook {url!r}: the scheme must be https")
    if not parts.hostname or "@" in parts.netloc or port == 0:
        raise WebhookError(f"webhook {url!r}: use https://host/path, without user name")
    return parts


class Webhooks:
    """Sends the requests. `allow_local` (tests only) permits `http` and addresses that are not public."""

    def __init__(self, allow_local: bool = False, total_s: float = TOTAL_S, resolver: Resolver = addresses_of) -> None:
        self._allow_local, self._total_s, self._resolver = allow_local, total_s, resolver
        self._tls = ssl.create_default_context()

    def post(self, url: str, content: bytes, headers: dict[str, str]) -> None:
        """POST `content`. Raises WebhookError unless a 2xx response begins within the total time."""
        deadline = time.monotonic() + self._total_s
        parts = checked_url(url, self._allow_local)
        address = self._address(parts, deadline)
        tls = self._tls if parts.scheme == "https" else None
        connection = _Connection(parts, address, tls, max(0.1, deadline - time.monotonic()))
        watchdog = Timer(max(0.0, deadline - time.monotonic()), connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, content, {**headers, "Connection": "close"})
            status = connection.getresponse().status
            if connection.is_cut:  # http.client takes the end of a connection for the end of the headers
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline
            reason = f"no response within {self._total_s:g} s" if late else str(error) or type(error).__name__
            raise WebhookError(f"webhook {url}: {reason}") from None
        finally:
            watchdog.cancel()
            connection.close()
        if not 200 <= status < 300:
            raise WebhookError(f"webhook {url} answered {status}")

    def _address(self, parts: SplitResult, deadline: float) -> str:
        host, port = parts.hostname or "", parts.port or _default_port(parts)
        try:
            left_s = max(0.1, deadline - time.monotonic())
            addresses = _RESOLVERS.submit(self._resolver, host, port).result(left_s)
        except ResolverTimeoutError:
            raise WebhookError(
                f"webhook {parts.geturl()}: {host} was not resolved within {self._total_s:g} s"
            ) from None
        except (OSError, UnicodeError) as error:
            raise WebhookError(f"webhook {parts.geturl()}: {host} cannot be resolved: {error}") from None
        if not addresses:
            raise WebhookError(f"webhook {parts.geturl()}: {host} has no address")
        private = [address for address in addresses if not is_public(address)]
        if private and not self._allow_local:
            raise WebhookError(f"webhook {parts.geturl()}: {host} is {private[0]}, which is not a public address")
        return addresses[0]


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address; TLS verifies the host name."""

    def __init__(self, parts: SplitResult, address: str, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        super().__init__(parts.hostname or "", parts.port or _default_port(parts), timeout=timeout_s)
        self._address, self._tls, self.is_cut = address, tls, False
        #: http.client omits this port in the Host header.
        self.default_port = 443 if tls else 80

    def connect(self) -> None:
        """Connect; the TLS handshake is a separate step, so that `cut` can end it."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self.is_cut:
            raise TimeoutError("cut while connecting")
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def cut(self) -> None:
        """Shut the socket down, which ends any blocking call on it."""
        self.is_cut = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80
