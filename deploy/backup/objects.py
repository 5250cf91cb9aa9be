"""Objects of a bucket into a backup and back, within S3: no byte travels through the machine that runs this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec
from boto3.s3.transfer import TransferConfig

from deploy.backup.store import DamagedError, Store, described
from flink_job.io.batches import batched

#: Copies at the same time; S3 takes 3,500 writes a second below a prefix.
WORKERS, BATCH = 16, 1000
#: Larger objects than this are copied in parts, which S3 demands.
_COPY = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=512 << 20, use_threads=False)
Progress = Callable[[int], None]
T = TypeVar("T")
R = TypeVar("R")


class Entry(msgspec.Struct, frozen=True):
    """An object of a backup: what it was, and what its copy is."""

    key: str
    version: str
    size: int
    checksum: str
    etag: str


class Version(NamedTuple):
    """The newest version of an object in a bucket."""

    key: str
    version: str


def latest(s3: Any, bucket: str, excluded: tuple[str, ...] = ()) -> Iterator[Version]:
    """The newest version of every object that is not deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in page.get("Versions", ()):
            if found["IsLatest"] and not found["Key"].startswith(excluded):
                yield Version(found["Key"], found["VersionId"])


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Entries of the file that lists them."""
    return (msgspec.json.decode(line, type=Entry) for line in lines)


def is_empty(s3: Any, bucket: str, excluded: tuple[str, ...] = ()) -> bool:
    """True when a bucket holds nothing but what is excluded."""
    return next(latest(s3, bucket, excluded), None) is None


def back_up(
    s3: Any, store: Store, part: str, found: Iterable[Version], bucket: str, known: Mapping[str, Entry], done: Progress
) -> Iterator[Entry]:
    """Copy versions that the store does not have; an entry for each. `known` are entries of an earlier backup by the
    key of their copy; a copy that has changed since is made again.
    """
    present = store.etags("objects", part, "")

    def keep(version: Version) -> Entry:
        name = store.object_name(part, version.key, version.version)
        entry = known.get(name)
        if entry and present.get(name) == entry.etag:
            return entry
        if entry or name not in present:
            source = {"Bucket": bucket, "Key": version.key, "VersionId": version.version}
            store.s3.copy(source, store.bucket, name, {"ChecksumAlgorithm": "SHA256"}, SourceClient=s3, Config=_COPY)
        kept = described(store.s3, store.bucket, name)
        if kept is None:
            raise DamagedError(f"s3://{store.bucket}/{name} was removed while the backup was made: make it again")
        return Entry(version.key, version.version, *kept)

    yield from _in_parallel(keep, found, done)


def check(store: Store, part: str, found: Iterable[Entry], done: Progress) -> None:
    """Raises DamagedError where a copy is missing or is not what was written."""

    def look(entry: Entry) -> None:
        name = store.object_name(part, entry.key, entry.version)
        copy = described(store.s3, store.bucket, name)
        if copy is None or (copy.size, copy.checksum) != (entry.size, entry.checksum):
            what = "is missing" if copy is None else "is not what was written: its checksum differs"
            raise DamagedError(f"the copy of {part} object {entry.key!r} {what} (s3://{store.bucket}/{name})")

    for _ in _in_parallel(look, found, done):
        pass


def restore(s3: Any, store: Store, part: str, found: Iterable[Entry], bucket: str, done: Progress) -> int:
    """Copy objects into a bucket, except where it has the same version still; returns how many were copied."""
    there = set(latest(s3, bucket))

    def put_back(entry: Entry) -> bool:
        if (entry.key, entry.version) in there:
            return False
        source = {"Bucket": store.bucket, "Key": store.object_name(part, entry.key, entry.version)}
        s3.copy(source, bucket, entry.key, SourceClient=store.s3, Config=_COPY)
        return True

    return sum(_in_parallel(put_back, found, done))


def _in_parallel(work: Callable[[T], R], items: Iterable[T], done: Progress) -> Iterator[R]:
    with ThreadPoolExecutor(WORKERS) as pool:
        for batch in batched(items, BATCH):
            yield from pool.map(work, batch)
            done(len(batch))
