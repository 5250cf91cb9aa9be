"""Where backups lie: an S3 bucket and a prefix. The layout below it:

backups/<id>/manifest.json          what the backup holds; written last, so a backup without it is incomplete
backups/<id>/<part>.ndjson.gz       a line for each object of a bucket, or for each item of a table
objects/<part>/<digest>             an object; digest of its key and version, so backups share what has not changed
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

from deploy.settings import Environment
from deploy.target import client

MANIFEST = "manifest.json"
#: Checksums that S3 may keep of an object, the strongest first.
_ALGORITHMS = ("SHA256", "SHA1", "CRC64NVME", "CRC32C", "CRC32")
_CHUNK = 1 << 20


class BackupError(RuntimeError):
    """A backup that cannot be made or used; the message names what is at fault and what to do."""


class DamagedError(BackupError):
    """A part of a backup that is missing or is not what was written."""


class Stored(NamedTuple):
    """A file of a backup: its bytes and their SHA-256, and the lines in it."""

    bytes: int
    sha256: str
    lines: int


class Bucket(msgspec.Struct, frozen=True):
    """A bucket in a manifest: `bytes` is what its objects hold, `sha256` is of the file that lists them."""

    part: str
    bucket: str
    objects: int
    bytes: int
    sha256: str


class Table(msgspec.Struct, frozen=True):
    """A table in a manifest: `bytes` and `sha256` are of the file that holds its items."""

    part: str
    table: str
    items: int
    bytes: int
    sha256: str


class Job(msgspec.Struct, frozen=True):
    """The job's state in a manifest: a snapshot that the service keeps, and the version that took it."""

    application: str
    snapshot: str
    state: str | None
    release: str | None


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

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


class _Sealed(msgspec.Struct):
    """A manifest and the SHA-256 of its bytes."""

    sha256: str
    manifest: msgspec.Raw


@dataclass(frozen=True)
class Store:
    """A place of backups; `s3` is boto3's client."""

    s3: Any
    bucket: str
    prefix: str = ""

    @classmethod
    def of(cls, uri: str, environment: Environment) -> Store:
        """The place that `s3://bucket/prefix` names, in whatever region its bucket is. Raises BackupError."""
        parsed = urlparse(uri)
        if parsed.scheme != "s3" or not parsed.netloc:
            raise BackupError(f"{uri!r} is no place of backups: write s3://bucket or s3://bucket/prefix")
        s3 = client("s3", environment)
        try:
            region = s3.head_bucket(Bucket=parsed.netloc).get("BucketRegion") or environment.region
        except s3.exceptions.ClientError as error:
            raise BackupError(
                f"bucket {parsed.netloc} cannot be used for backups ({error}): it is made with the data stack of an "
                "environment (`python -m deploy up`), or name another one"
            ) from None
        if region != environment.region:
            s3 = client("s3", replace(environment, region=region))
        prefix = parsed.path.strip("/")
        return cls(s3, parsed.netloc, f"{prefix}/" if prefix else "")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def name(self, *parts: str) -> str:
        """Key of a file below the place."""
        return self.prefix + "/".join(parts)

    def object_name(self, part: str, key: str, version: str) -> str:
        """Key of the copy of a version of an object."""
        return self.name("objects", part, hashlib.sha256(f"{key}\n{version}".encode()).hexdigest())

    def ids(self) -> list[str]:
        """Names of the backups that are complete, the oldest first."""
        return sorted(key.split("/")[-2] for key in self.etags("backups", "") if key.endswith(f"/{MANIFEST}"))

    def etags(self, *parts: str) -> dict[str, str]:
        """ETags of the objects below a prefix of the place, by key."""
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
            raise DamagedError(f"s3://{self.bucket}/{key} is no manifest: {error}") from None
        if hashlib.sha256(bytes(sealed.manifest)).hexdigest() != sealed.sha256:
            raise DamagedError(f"s3://{self.bucket}/{key} is not what was written: its checksum differs")
        return manifest

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, which completes the backup."""
        content = msgspec.json.encode(manifest)
        sealed = _Sealed(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
        key = self.name("backups", manifest.id, MANIFEST)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=msgspec.json.encode(sealed))

    def write(self, id: str, part: str, lines: Iterable[bytes]) -> Stored:
        """Write the lines of a part as a file of NDJSON, gzipped."""
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
        """Lines that `write` wrote. Raises DamagedError before the first where the bytes of the file are others."""
        key = self._file(id, part)
        with tempfile.TemporaryFile() as file:
            try:
                self.s3.download_fileobj(self.bucket, key, file)
            except self.s3.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                    raise
                raise DamagedError(f"s3://{self.bucket}/{key} is missing") from None
            if _sha256(file) != sha256:
                raise DamagedError(f"s3://{self.bucket}/{key} is not what was written: its checksum differs")
            with gzip.GzipFile(fileobj=file) as packed:
                for line in packed:
                    yield line.rstrip(b"\n")

    def _file(self, id: str, part: str) -> str:
        return self.name("backups", id, f"{part}.ndjson.gz")


class Copy(NamedTuple):
    """What S3 says of the copy of an object."""

    size: int
    checksum: str
    etag: str


def described(s3: Any, bucket: str, key: str) -> Copy | None:
    """What S3 says of an object; None where there is none. The checksum is that which S3 keeps, or is computed from the
    bytes where it keeps none.
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
    """Digest of a file from its beginning, to which it is set back."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest
