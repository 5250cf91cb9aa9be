"""The local Flink cluster: failures at start, and ports."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from deploy.local.endpoint import SERVER_PORTS, free_port
from deploy.rehearsal.cluster import Cluster, RehearsalError


def test_exited_process_is_reported_at_once(tmp_path: Path) -> None:
    ended = subprocess.Popen(["false"])
    ended.wait()
    cluster = Cluster(tmp_path, free_port(), {}, tmp_path, {"jobmanager.sh": ended})
    with pytest.raises(RehearsalError, match=r"jobmanager\.sh exited; see .*/log/jobmanager\.sh\.out"):
        cluster.wait_for_slots()


def test_server_ports_are_below_the_ephemeral_range() -> None:
    """By default Linux uses ports from 32768 on for outgoing connections."""
    port = free_port()
    assert port in SERVER_PORTS
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        assert free_port() != port
