"""Files of the tables of a lake, in a folder or on S3, with the time at which each was written."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from flink_job.io.kinesis import client
from flink_job.lake.selection import partition_of

SUFFIX = ".parquet"


class LakeFile(NamedTuple):
    """A Parquet file of a table; `path` is relative to the lake, `written` is UTC. `tag` differs for other content."""

    path: str
    written: datetime
    tag: str

    @property
    def day(self) -> date | None:
        """UTC date of the rows; None for a file outside partitions."""
        found = partition_of(self.path)
        return None if found is None else date.fromisoformat(found)

    @property
    def name(self) -> str:
        """Path and tag: the identity of the content."""
        return f"{self.path} {self.tag}"


def listed(lake: str, table: str) -> Iterator[LakeFile]:
    """Yield the files of a table of a lake at a folder, or s3://bucket[/prefix]."""
    parsed = urlparse(lake)
    if parsed.scheme != "s3":
        root = Path(lake)
        for path in sorted((root / table).glob(f"**/*{SUFFIX}")):
            status = path.stat()
            written = datetime.fromtimestamp(status.st_mtime, UTC)
            yield LakeFile(path.relative_to(root).as_posix(), written, f"{status.st_mtime_ns}-{status.st_size}")
        return
    base = _base(parsed.path)
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=parsed.netloc, Prefix=f"{base}{table}/")
    for page in pages:
        for item in page.get("Contents", ()):
            if item["Key"].endswith(SUFFIX):
                yield LakeFile(item["Key"].removeprefix(base), item["LastModified"], item["ETag"].strip('"'))


def fetched(lake: str, files: Iterable[LakeFile], folder: Path) -> list[Path]:
    """Return local paths of files: those of a local lake, or copies of objects in `folder`."""
    parsed = urlparse(lake)
    if parsed.scheme != "s3":
        return [Path(lake) / file.path for file in files]
    s3, base, found = client("s3"), _base(parsed.path), []
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            shutil.copyfileobj(s3.get_object(Bucket=parsed.netloc, Key=base + file.path)["Body"], copy)
        found.append(target)
    return found


def _base(path: str) -> str:
    prefix = path.strip("/")
    return f"{prefix}/" if prefix else ""
