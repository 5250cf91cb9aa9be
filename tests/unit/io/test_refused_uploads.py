"""A prefix that refuses objects is found before there are results; results that S3 refuses at the end are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flink_job.io import remote
from flink_job.lake.database import LakeError

REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")


class S3:
    """Refuses objects from the beginning, or only when results are uploaded."""

    def __init__(self, refuses_all: bool) -> None:
        self.refuses_all = refuses_all

    def put_object(self, **_: Any) -> None:
        if self.refuses_all:
            raise REFUSED

    def upload_file(self, *_: Any) -> None:
        raise REFUSED


def test_a_refused_prefix_is_found_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "client", lambda name: S3(refuses_all=True))
    with pytest.raises(LakeError, match=r"s3://b/p: cannot be written.*AccessDenied"), remote.uploaded("s3://b/p"):
        pytest.fail("the work began")


def test_refused_results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "client", lambda name: S3(refuses_all=False))
    with pytest.raises(LakeError, match="The results are kept in") as caught, remote.uploaded("s3://b/p") as folder:
        (folder / "costs.parquet").write_bytes(b"rows")
    kept = Path(str(caught.value).split("kept in ")[1].split(":")[0])
    assert (kept / "costs.parquet").read_bytes() == b"rows"
