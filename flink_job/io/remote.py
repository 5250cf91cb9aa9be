"""Makes a lake on S3 available as a local folder: downloads the selected partitions and uploads results.

A local folder is used in place.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from flink_job.io.kinesis import client
from flink_job.io.records import COPIED_BYTES
from flink_job.lake.database import LakeError
from flink_job.lake.selection import EVERYTHING, Selection
from flink_job.schemas import BATCH_TABLES, EVENT_DATE, OUTPUTS, SERVICE_TABLES


@contextlib.contextmanager
def downloaded(uri: str, selection: Selection = EVERYTHING) -> Iterator[Path]:
    """Yield a temporary folder with the selected Parquet files under s3://bucket[/prefix], or the local folder itself.

    Raises LakeError if the prefix contains no output of the job.
    """
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="lake-") as name:
        for output in [*OUTPUTS, *SERVICE_TABLES, *BATCH_TABLES]:
            if selection.has_table(output):
                sync(parsed.netloc, parsed.path.strip("/"), output, Path(name), selection=selection)
        if not any(Path(name).glob("*/**/*.parquet")):
            _require_lake(parsed.netloc, parsed.path.strip("/"), uri)
        yield Path(name)


def _require_lake(bucket: str, prefix: str, uri: str) -> None:
    """Raise LakeError if the prefix contains no output of the job, selected or not."""
    s3 = client("s3")
    for output in OUTPUTS:
        if s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{output}/".lstrip("/"), MaxKeys=1).get("KeyCount"):
            return
    raise LakeError(f"{uri} holds none of {', '.join(OUTPUTS)}: it is no output of the job")


def sync(
    bucket: str,
    prefix: str,
    output: str,
    folder: Path,
    endpoint: str | None = None,
    selection: Selection = EVERYTHING,
) -> int:
    """Download the selected files under bucket/prefix/`output` that `folder`/`output` does not have.

    Returns the number of downloaded objects.
    """
    s3 = client("s3", endpoint)
    base = f"{prefix}/{output}/".lstrip("/")
    count = 0
    (folder / output).mkdir(parents=True, exist_ok=True)
    for key in _keys(s3, bucket, base, selection):
        target = folder / output / key.removeprefix(base)
        if key.endswith(".parquet") and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            with partial.open("wb") as file:
                shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file, COPIED_BYTES)
            partial.rename(target)
            count += 1
    return count


def _keys(s3: Any, bucket: str, base: str, selection: Selection) -> Iterator[str]:
    """Yield the keys of the selected files; partitions before and after the selected ones are not listed."""
    partitions = f"{base}{EVENT_DATE.name}="
    yield from _listed(s3, bucket, base, delimiter="/")
    for key in _listed(s3, bucket, partitions, after=base + selection.start_after()):
        path = key.removeprefix(base)
        if selection.ends_before(path):
            return
        if selection.has_file(path):
            yield key


def _listed(s3: Any, bucket: str, prefix: str, delimiter: str = "", after: str = "") -> Iterator[str]:
    """Yield the keys under a prefix, after the key `after`."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter=delimiter, StartAfter=after
    )
    for page in pages:
        yield from (item["Key"] for item in page.get("Contents", ()))


@contextlib.contextmanager
def uploaded(uri: str) -> Iterator[Path]:
    """Yield a temporary folder that is uploaded to s3://bucket/prefix on exit, or the local folder itself.

    Raises LakeError if the prefix cannot be written: before the body, or after it with the folder of the results.
    """
    parsed = urlparse(uri)
    if parsed.scheme != "s3":
        Path(uri).mkdir(parents=True, exist_ok=True)
        yield Path(uri)
        return
    s3, prefix = client("s3"), parsed.path.strip("/")
    _check_writable(s3, parsed.netloc, prefix, uri)
    folder = Path(tempfile.mkdtemp(prefix="lake-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        key = "/".join(part for part in (prefix, path.relative_to(folder).as_posix()) if part)
        try:
            s3.upload_file(str(path), parsed.netloc, key)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise LakeError(f"{uri}: {error}. The results are kept in {folder}: copy them from there") from None
    shutil.rmtree(folder, ignore_errors=True)


def _check_writable(s3: Any, bucket: str, prefix: str, uri: str) -> None:
    """Raise LakeError if no object can be written under the prefix, before there are results to lose.

    An empty object remains, as writers have no right to delete; Athena ignores names with an underscore.
    """
    key = "/".join(part for part in (prefix, "_writable") if part)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    except (BotoCoreError, ClientError) as error:
        raise LakeError(f"{uri}: cannot be written: {error}") from None
