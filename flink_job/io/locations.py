"""Lists, reads and writes small documents in a folder or under an S3 prefix, and detects changed ones by a tag.

The tag is the modification time and size of a file, or the ETag of an object.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse
from uuid import uuid4

from flink_job.metering.bounds import MAX_DOCUMENT_BYTES

#: Maximum number of bytes read: one more than a document may have, so that its parser rejects a larger one.
READ_BYTES = MAX_DOCUMENT_BYTES + 1


class LocationError(OSError):
    """An S3 document or prefix that cannot be read or listed; the message names it."""


class Location(Protocol):
    """A folder or prefix of documents. Names are paths relative to it, such as `spring.json` or `acme/spring.json`."""

    def describe(self, name: str) -> str:
        """Return the full path or URI of a document, for messages."""
        ...

    def list(self, suffix: str) -> Iterator[tuple[str, str]]:
        """Yield (name, tag) of each document whose name ends with `suffix`. Raises OSError."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a document. Raises OSError."""
        ...

    def read_changed(self, name: str, tag: str) -> tuple[str, bytes] | None:
        """Return (tag, content) of a document, or None if it still has the tag `tag`. Raises OSError."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a document, replacing it as a whole. Raises OSError."""
        ...


@dataclass(frozen=True)
class FolderLocation:
    """Files in a folder and in its subfolders, one level deep."""

    folder: Path

    def describe(self, name: str) -> str:
        return str(self.folder / name)

    def list(self, suffix: str) -> Iterator[tuple[str, str]]:
        if not self.folder.is_dir():
            raise FileNotFoundError(f"folder {self.folder} does not exist")
        pattern = f"*{glob.escape(suffix)}"
        for path in sorted([*self.folder.glob(pattern), *self.folder.glob(f"*/{pattern}")]):
            yield path.relative_to(self.folder).as_posix(), _tag(path)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def read_changed(self, name: str, tag: str) -> tuple[str, bytes] | None:
        found = _tag(self.folder / name)
        return None if found == tag else (found, self.read(name))

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        written = path.with_name(f".{uuid4().hex}.tmp")
        try:
            written.write_bytes(content)
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)


@dataclass(frozen=True)
class S3Location:
    """Objects under s3://`bucket`/`prefix`; the prefix is empty or ends with `/`."""

    bucket: str
    prefix: str
    region: str | None = None
    endpoint: str = ""

    @cached_property
    def _client(self) -> Any:
        import boto3  # commands that read local files start faster without it

        return boto3.client("s3", region_name=self.region, endpoint_url=self.endpoint or None)

    def describe(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def list(self, suffix: str) -> Iterator[tuple[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
                for item in page.get("Contents", ()):
                    if item["Key"].endswith(suffix):
                        yield item["Key"].removeprefix(self.prefix), item["ETag"]
        except (BotoCoreError, ClientError) as error:
            raise LocationError(f"{self.describe('')}: {error}") from error

    def read(self, name: str) -> bytes:
        found = self.read_changed(name, "")
        assert found is not None  # a GET without a condition
        return found[1]

    def read_changed(self, name: str, tag: str) -> tuple[str, bytes] | None:
        """Read the object with a conditional GET, so that unchanged content is not transferred."""
        from botocore.exceptions import BotoCoreError, ClientError

        condition = {"IfNoneMatch": tag} if tag else {}
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + name, **condition)
            with answer["Body"] as body:
                return answer["ETag"], body.read(READ_BYTES)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:
                return None
            raise LocationError(f"{self.describe(name)}: {error}") from error
        except BotoCoreError as error:
            raise LocationError(f"{self.describe(name)}: {error}") from error

    def write(self, name: str, content: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content)
        except (BotoCoreError, ClientError) as error:
            raise LocationError(f"{self.describe(name)}: {error}") from error


def open_location(uri: str, region: str | None = None, endpoint: str = "") -> Location:
    """Return the location of a folder, file:///folder or s3://bucket/prefix."""
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        return FolderLocation(Path(parsed.path if parsed.scheme == "file" else uri))
    prefix = parsed.path.strip("/")
    return S3Location(parsed.netloc, f"{prefix}/" if prefix else "", region, endpoint)


def open_document(uri: str, region: str | None = None, endpoint: str = "") -> tuple[Location, str]:
    """Return (location, name) of a document at a path, file:///path or s3://bucket/key."""
    folder, separator, name = uri.rpartition("/")
    return open_location(folder or separator or ".", region, endpoint), name


def _tag(path: Path) -> str:
    """Return the modification time and size of a file."""
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"
