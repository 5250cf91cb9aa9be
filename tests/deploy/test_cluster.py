"""A cluster of this machine that does not come up says so."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from deploy.local.endpoint import SERVER_PORTS, free_port
from deploy.rehearsal.cluster import Cluster, RehearsalError


def test_a_part_that_ended_is_told_at_once(tmp_path: Path) -> None:
    ended = subprocess.Popen(["false"])
    ended.wait()
    cluster = Cluster(tmp_path, free_port(), {}, tmp_path, {"jobmanager.sh": ended})
    with pytest.raises(RehearsalError, match=r"jobmanager\.sh ended by itself; see .*/log/jobmanager\.sh\.out"):
        cluster.wait_for_slots()


def test_ports_of_servers_are_not_those_of_outgoing_connections() -> None:
    """Linux gives those from 32768 on, unless it is told otherwise."""
    port = free_port()
    assert port in SERVER_PORTS
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        assert free_port() != port
