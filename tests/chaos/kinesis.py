"""Kinesalite, an emulator of Kinesis that supports splitting and merging of shards."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.kit.npm import NODE, installed
from deploy.local.endpoint import free_port, stop
from flink_job.dataflow.environment import PROJECT
from flink_job.io.kinesis import client

MANIFEST = Path(__file__).parent / "kinesalite"
INSTALLED = PROJECT / "build" / "kinesalite"
WAIT_S = 30
_SERVE = "require('kinesalite')({createStreamMs:50,deleteStreamMs:50,updateStreamMs:50}).listen(%d, '127.0.0.1')"


class KinesaliteError(RuntimeError):
    """Kinesalite did not start or respond."""


@contextlib.contextmanager
def kinesalite(log: Path) -> Iterator[str]:
    """URL of a new Kinesalite server. Raises NpmError if it cannot be installed."""
    installed(MANIFEST, INSTALLED, "kinesalite")
    port = free_port()
    with log.open("wb") as out:
        server = subprocess.Popen(
            [str(NODE / "node"), "-e", _SERVE % port], cwd=INSTALLED, stdout=out, stderr=out, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: client("kinesis", url).list_streams())
        yield url
    finally:
        stop(server)


def create_stream(url: str, name: str, shards: int) -> None:
    """Create a stream and wait until it is active."""
    kinesis = client("kinesis", url)
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    _wait_active(kinesis, name)


def open_shards(url: str, stream: str) -> list[dict[str, Any]]:
    """Open shards, sorted by hash key."""
    found = client("kinesis", url).describe_stream(StreamName=stream)["StreamDescription"]["Shards"]
    still = [shard for shard in found if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    return sorted(still, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split(url: str, stream: str) -> None:
    """Split the first shard in the middle."""
    kinesis, shard = client("kinesis", url), open_shards(url, stream)[0]
    keys = shard["HashKeyRange"]
    middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
    _wait_active(kinesis, stream)


def merge(url: str, stream: str) -> None:
    """Merge the first two shards."""
    kinesis, (first, second, *_) = client("kinesis", url), open_shards(url, stream)
    kinesis.merge_shards(StreamName=stream, ShardToMerge=first["ShardId"], AdjacentShardToMerge=second["ShardId"])
    _wait_active(kinesis, stream)


def _wait_active(kinesis: Any, stream: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise KinesaliteError(f"stream {stream!r} is not active after {WAIT_S} s")
        time.sleep(0.05)


def _wait(call: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            call()
            return
        except Exception as error:
            if time.monotonic() > deadline:
                raise KinesaliteError(f"kinesalite does not answer: {error}") from None
            time.sleep(0.2)
