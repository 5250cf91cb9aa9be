"""Backup and restore of a bucket. Objects are copied within S3 and are not downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec
from boto3.s3.transfer import TransferConfig

from deploy.backup.store import DamagedError, Store, described
from flink_job.io.batches import batched

#: Parallel copies, and objects per batch. S3 accepts 3,500 writes per second and prefix.
WORKERS, BATCH = 16, 1000
#: S3 requires multipart copies for objects larger than 5 GiB.
_COPY = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=512 << 20, use_threads=False)
Progress = Callable[[int], None]
T = TypeVar("T")
R = TypeVar("R")


class Entry(msgspec.Struct, frozen=True):
    """An object of a backup: key and version of the original; size, checksum and ETag of the copy."""

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
    """Yield the latest version of every object that is not deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in page.get("Versions", ()):
            if found["IsLatest"] and not found["Key"].startswith(excluded):
                yield Version(found["Key"], found["VersionId"])


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Decode the lines of a part's list of objects."""
    return (msgspec.json.decode(line, type=Entry) for line in lines)


def is_empty(s3: Any, bucket: str, excluded: tuple[str, ...] = ()) -> bool:
    """True if a bucket has no object except under the `excluded` prefixes."""
    return next(latest(s3, bucket, excluded), None) is None


def back_up(
    s3: Any, store: Store, part: str, found: Iterable[Version], bucket: str, known: Mapping[str, Entry], done: Progress
) -> Iterator[Entry]:
    """Copy versions that the store does not have; yield an entry for each version.

    `known` has the entries of an earlier backup by key of the copy; a copy that has changed since is replaced.
    """
    present = store.etags("objects", part, "")

    def copy(version: Version) -> Entry:
        name = store.object_name(part, version.key, version.version)
        entry = known.get(name)
        if entry and present.get(name) == entry.etag:
            return entry
        if entry or name not in present:
            source = {"Bucket": bucket, "Key": version.key, "VersionId": version.version}
            store.s3.copy(source, store.bucket, name, {"ChecksumAlgorithm": "SHA256"}, SourceClient=s3, Config=_COPY)
        copied = described(store.s3, store.bucket, name)
        if copied is None:
            raise DamagedError(f"s3://{store.bucket}/{name} was removed during the backup: run the backup again")
        return Entry(version.key, version.version, *copied)

    yield from _in_parallel(copy, found, done)


def check(store: Store, part: str, found: Iterable[Entry], done: Progress) -> None:
    """Compare every copy with its entry. Raises DamagedError if one is missing or its checksum differs."""

    def check_copy(entry: Entry) -> None:
        name = store.object_name(part, entry.key, entry.version)
        copy = described(store.s3, store.bucket, name)
        if copy is None or (copy.size, copy.checksum) != (entry.size, entry.checksum):
            what = "is missing" if copy is None else "is damaged: its checksum differs"
            raise DamagedError(f"the copy of {part} object {entry.key!r} {what} (s3://{store.bucket}/{name})")

    for _ in _in_parallel(check_copy, found, done):
        pass


def restore(s3: Any, store: Store, part: str, found: Iterable[Entry], bucket: str, done: Progress) -> int:
    """Copy objects into a bucket, except versions that it still has; returns the number of copies."""
    present = set(latest(s3, bucket))

    def put_back(entry: Entry) -> bool:
        if (entry.key, entry.version) in present:
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
