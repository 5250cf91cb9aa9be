"""Store of backups: an S3 bucket and a prefix with this layout:

backups/<id>/manifest.json          content of the backup; written last, so a backup without it is incomplete
backups/<id>/<part>.ndjson.gz       a line for each object of a bucket, or for each item of a table
objects/<part>/<digest>             a copy of an object, named by a digest of its key and version: backups share copies
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlparse

import msgspec

from deploy.backup.parts import BUCKETS, TABLES
from deploy.errors import DeployError
from deploy.settings import Environment
from deploy.target import client

MANIFEST = "manifest.json"
#: Checksums that S3 may store with an object, the strongest first.
_ALGORITHMS = ("SHA256", "SHA1", "CRC64NVME", "CRC32C", "CRC32")
_CHUNK = 1 << 20


class BackupError(DeployError, RuntimeError):
    """A backup that cannot be created or used; the message names the cause and the next step."""


class DamagedError(BackupError):
    """A part of a backup is missing or damaged."""


class Stored(NamedTuple):
    """A file of a backup: size, SHA-256 and number of lines."""

    bytes: int
    sha256: str
    lines: int


class Bucket(msgspec.Struct, frozen=True):
    """A bucket in a manifest: `bytes` is the total size of its objects, `sha256` is of the file that lists them."""

    part: str
    bucket: str
    objects: int
    bytes: int
    sha256: str


class Table(msgspec.Struct, frozen=True):
    """A table in a manifest: `bytes` and `sha256` are of the file with its items."""

    part: str
    table: str
    items: int
    bytes: int
    sha256: str


class Job(msgspec.Struct, frozen=True):
    """The job's state in a manifest: the snapshot, stored by Managed Flink, and the version that took it."""

    application: str
    snapshot: str
    state: str | None
    release: str | None


class Manifest(msgspec.Struct, frozen=True):
    """The content of a backup."""

    id: str
    environment: str
    account: str
    region: str
    started: datetime
    finished: datetime
    job: Job | None
    buckets: tuple[Bucket, ...]
    tables: tuple[Table, ...]
    format: int = 1

    @property
    def is_full(self) -> bool:
        """True for a backup of all parts except the job, which may not have been running."""
        parts = {bucket.part for bucket in self.buckets} | {table.part for table in self.tables}
        return parts >= {*BUCKETS, *TABLES}


class _Sealed(msgspec.Struct):
    """A manifest and the SHA-256 of its bytes."""

    sha256: str
    manifest: msgspec.Raw


@dataclass(frozen=True)
class Store:
    """A store of backups; `s3` is a boto3 client."""

    s3: Any
    bucket: str
    prefix: str = ""

    @classmethod
    def of(cls, uri: str, environment: Environment) -> Store:
        """The store at `s3://bucket/prefix`, in the region of its bucket. Raises BackupError."""
        parsed = urlparse(uri)
        if parsed.scheme != "s3" or not parsed.netloc:
            raise BackupError(f"{uri!r} is not a store of backups: use s3://bucket or s3://bucket/prefix")
        s3 = client("s3", environment)
        try:
            region = s3.head_bucket(Bucket=parsed.netloc).get("BucketRegion") or environment.region
        except s3.exceptions.ClientError as error:
            raise BackupError(
                f"bucket {parsed.netloc} cannot be used for backups ({error}): create it with the data stack of the "
                "environment (`python -m deploy up`), or use another one"
            ) from None
        if region != environment.region:
            s3 = client("s3", replace(environment, region=region))
        prefix = parsed.path.strip("/")
        return cls(s3, parsed.netloc, f"{prefix}/" if prefix else "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def name(self, *parts: str) -> str:
        """Key of a file of the store."""
        return self.prefix + "/".join(parts)

    def object_name(self, part: str, key: str, version: str) -> str:
        """Key of the copy of a version of an object."""
        return self.name("objects", part, hashlib.sha256(f"{key}\n{version}".encode()).hexdigest())

    def ids(self) -> list[str]:
        """Ids of the complete backups, the oldest first."""
        return sorted(key.split("/")[-2] for key in self.etags("backups", "") if key.endswith(f"/{MANIFEST}"))

    def etags(self, *parts: str) -> dict[str, str]:
        """ETags of the objects under a prefix of the store, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.name(*parts))
        return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}

    def manifest(self, id: str) -> Manifest:
        """The manifest of a backup. Raises BackupError."""
        key = self.name("backups", id, MANIFEST)
        try:
            content = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            found = ", ".join(self.ids()[-5:]) or "none"
            raise BackupError(f"{self} has no complete backup {id!r}; the newest are: {found}") from None
        try:
            sealed = msgspec.json.decode(content, type=_Sealed)
            manifest = msgspec.json.decode(sealed.manifest, type=Manifest)
        except msgspec.DecodeError as error:
            raise DamagedError(f"s3://{self.bucket}/{key} is not a manifest: {error}") from None
        if hashlib.sha256(bytes(sealed.manifest)).hexdigest() != sealed.sha256:
            raise DamagedError(f"s3://{self.bucket}/{key} is damaged: its checksum differs")
        return manifest

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, which completes the backup."""
        content = msgspec.json.encode(manifest)
        sealed = _Sealed(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
        key = self.name("backups", manifest.id, MANIFEST)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=msgspec.json.encode(sealed))

    def write(self, id: str, part: str, lines: Iterable[bytes]) -> Stored:
        """Write the lines of a part as a gzipped NDJSON file."""
        count = 0
        with tempfile.TemporaryFile() as file:
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                for line in lines:
                    packed.write(line + b"\n")
                    count += 1
            size = file.tell()
            digest = _sha256(file)
            self.s3.upload_fileobj(file, self.bucket, self._file(id, part))
        return Stored(size, digest, count)

    def read(self, id: str, part: str, sha256: str) -> Iterator[bytes]:
        """Yield the lines of a part. Raises DamagedError before the first line if the checksum of the file differs."""
        key = self._file(id, part)
        with tempfile.TemporaryFile() as file:
            try:
                self.s3.download_fileobj(self.bucket, key, file)
            except self.s3.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                    raise
                raise DamagedError(f"s3://{self.bucket}/{key} is missing") from None
            if _sha256(file) != sha256:
                raise DamagedError(f"s3://{self.bucket}/{key} is damaged: its checksum differs")
            with gzip.GzipFile(fileobj=file) as packed:
                for line in packed:
                    yield line.rstrip(b"\n")

    def _file(self, id: str, part: str) -> str:
        return self.name("backups", id, f"{part}.ndjson.gz")


class Copy(NamedTuple):
    """Size, checksum and ETag of a stored object."""

    size: int
    checksum: str
    etag: str


def described(s3: Any, bucket: str, key: str) -> Copy | None:
    """Size, checksum and ETag of an object; None if it does not exist.

    The checksum is the one stored by S3; without one it is computed from the object.
    """
    try:
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return None
    for algorithm in _ALGORITHMS:
        if value := head.get(f"Checksum{algorithm}"):
            return Copy(head["ContentLength"], f"{algorithm}:{value}", head["ETag"])
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK):
        digest.update(chunk)
    return Copy(head["ContentLength"], f"SHA256:{base64.b64encode(digest.digest()).decode()}", head["ETag"])


def _sha256(file: Any) -> str:
    """SHA-256 of a whole file; rewinds it before and after."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest
