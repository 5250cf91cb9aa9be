"""A lake on S3 as a folder: downloaded to be read, uploaded when written. A local folder is used as it is."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from flink_job.publish import client
from flink_job.schemas import BATCH_TABLES, OUTPUTS, SERVICE_TABLES


@contextlib.contextmanager
def downloaded(uri: str) -> Iterator[Path]:
    """The Parquet of every output under s3://bucket[/prefix] in a temporary folder; a folder stays where it is."""
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="lake-") as name:
        for output in [*OUTPUTS, *SERVICE_TABLES, *BATCH_TABLES]:
            sync(parsed.netloc, parsed.path.strip("/"), output, Path(name))
        yield Path(name)


def sync(bucket: str, prefix: str, output: str, folder: Path, endpoint: str | None = None) -> int:
    """Download what `folder`/<output> lacks of bucket/prefix/<output>; returns the number of new objects."""
    s3 = client("s3", endpoint)
    base = f"{prefix}/{output}/".lstrip("/")
    count = 0
    (folder / output).mkdir(parents=True, exist_ok=True)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=base):
        for item in page.get("Contents", ()):
            target = folder / output / item["Key"].removeprefix(base)
            if item["Key"].endswith(".parquet") and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
                count += 1
    return count


@contextlib.contextmanager
def uploaded(uri: str) -> Iterator[Path]:
    """A folder whose files go to s3://bucket/prefix at the end; a local folder is made and written as it is."""
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        Path(uri).mkdir(parents=True, exist_ok=True)
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="lake-") as name:
        yield Path(name)
        s3 = client("s3")
        for path in sorted(p for p in Path(name).rglob("*") if p.is_file()):
            key = "/".join(part for part in (parsed.path.strip("/"), path.relative_to(name).as_posix()) if part)
            s3.upload_file(str(path), parsed.netloc, key)
