"""Where tariff documents lie: a folder, or a prefix on S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3

from flink_job.metering.bounds import MAX_DOCUMENT_BYTES
from flink_job.tariffs.registry import DocumentStore, TariffRegistry


@dataclass(frozen=True)
class FolderStore:
    """JSON files of a folder, and of its folders of tenants."""

    folder: Path

    def changed(self, known: dict[str, str]) -> Iterator[tuple[str, str, bytes]]:
        if not self.folder.is_dir():
            raise FileNotFoundError(f"tariff folder {self.folder} does not exist")
        for path in sorted([*self.folder.glob("*.json"), *self.folder.glob("*/*.json")]):
            status = path.stat()
            name, tag = path.relative_to(self.folder).as_posix(), f"{status.st_mtime_ns}-{status.st_size}"
            if known.get(name) != tag:
                yield name, tag, path.read_bytes()


@dataclass(frozen=True)
class S3Store:
    """JSON objects under a prefix. `client` makes a boto3 S3 client when first needed."""

    bucket: str
    prefix: str
    client: Callable[[], Any]

    def changed(self, known: dict[str, str]) -> Iterator[tuple[str, str, bytes]]:
        s3 = self.client()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            for item in page.get("Contents", ()):
                key, tag = item["Key"], item["ETag"]
                name = key.removeprefix(self.prefix).lstrip("/")
                if key.endswith(".json") and known.get(name) != tag:
                    # Enough to see that a document is too large; who parses it says so.
                    body = s3.get_object(Bucket=self.bucket, Key=key)["Body"]
                    yield name, tag, body.read(MAX_DOCUMENT_BYTES + 1)
                    body.close()


def open_store(uri: str, region: str | None = None, endpoint: str = "") -> DocumentStore:
    """The store of a folder, or of s3://bucket/prefix."""
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        return FolderStore(Path(parsed.path if parsed.scheme == "file" else uri))
    return S3Store(
        parsed.netloc,
        parsed.path.lstrip("/"),
        lambda: boto3.client("s3", region_name=region, endpoint_url=endpoint or None),
    )


def open_registry(uri: str) -> TariffRegistry:
    """The registry at a place, loaded. Raises FileNotFoundError where there is no such folder."""
    registry = TariffRegistry(open_store(uri))
    registry.reload()
    return registry
