"""Starts and stops the embedded endpoint, or uses an existing one."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

from localstack_client import config as localstack_config

from flink_job.dataflow.environment import PROJECT

SERVER_PYTHON = PROJECT / ".venv-endpoint" / "bin" / "python"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
#: Below 32768, the first ephemeral port of Linux.
SERVER_PORTS = range(20_000, 32_768)

#: Credentials that emulators accept; those of the environment take precedence.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class EndpointError(RuntimeError):
    """The endpoint cannot be started; the message says what to do."""


def default_port() -> int:
    """LocalStack's default port."""
    return int(str(localstack_config.get_service_ports()["kinesis"]))


@contextlib.contextmanager
def endpoint(log: Path, port: int | None = None) -> Iterator[str]:
    """URL of an endpoint: AWS_ENDPOINT_URL, or an embedded one that is stopped at the end.

    Raises EndpointError if the port is in use or the server does not start.
    """
    for name, value in CREDENTIALS.items():
        os.environ.setdefault(name, value)
    if given := os.environ.get("AWS_ENDPOINT_URL"):
        yield given
        return
    port = port or default_port()
    if _is_open(port):
        raise EndpointError(
            f"port {port} on 127.0.0.1 is in use. To use the endpoint on that port, set "
            f"AWS_ENDPOINT_URL=http://127.0.0.1:{port}; otherwise stop it, or choose another port with --port"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        environment = {**os.environ, "GATEWAY_PORT": str(port)}
        server = subprocess.Popen(
            [SERVER_PYTHON, Path(__file__).parent / "emulator" / "server.py"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, server, log)
        yield url
    finally:
        stop(server)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process; kill it if it does not exit."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that is free at the moment, outside the ephemeral range. Raises EndpointError if there is none.

    An outgoing connection could take an ephemeral port before a slow server binds it.
    """
    for port in SystemRandom().sample(SERVER_PORTS, len(SERVER_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise EndpointError(
        f"no port from {SERVER_PORTS.start} to {SERVER_PORTS.stop - 1} is free: stop servers that use them"
    )


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise EndpointError(f"the endpoint exited with code {server.returncode}; see {log}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=2).close()
            return
        time.sleep(0.2)
    raise EndpointError(f"the endpoint did not respond within {START_TIMEOUT_S} s; see {log}")
