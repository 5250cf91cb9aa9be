"""Tariffs are uploaded all or nothing, and only if they will be in force beside those in the bucket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.release.registry import RegistryError, upload


class Bucket:
    """The calls of S3 that an upload makes."""

    def __init__(self, **objects: str) -> None:
        self.objects = {f"tariffs/{name}": text.encode() for name, text in objects.items()}

    def get_paginator(self, operation: str) -> Bucket:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Key] = Body


def document(version: str, valid_from: str) -> str:
    return json.dumps({"tariff_id": "t", "version": version, "currency": "EUR", "valid_from": valid_from})


def test_a_version_that_conflicts_with_one_in_the_bucket_is_not_uploaded(tmp_path: Path) -> None:
    """`z.json` is in force (it has a copy), so `a.json` with the same start would be refused by the job."""
    published = document("1", "2026-01-01")
    bucket = Bucket(**{"z.json": published, "z.json.t.2026-01-01.good": published})
    before = dict(bucket.objects)
    (tmp_path / "a.json").write_text(document("2", "2026-01-01"))
    with pytest.raises(RegistryError, match=r"a\.json: z\.json already has tariff 't' version '1' from 2026-01-01"):
        upload(bucket, "registry", tmp_path)
    assert bucket.objects == before


def test_a_faulty_document_in_the_bucket_does_not_prevent_an_upload(tmp_path: Path) -> None:
    bucket = Bucket(**{"broken.json": "{"})
    (tmp_path / "acme").mkdir()
    for name in ("a.json", "acme/a.json"):
        (tmp_path / name).write_text(document("1", "2026-01-01"))
    assert upload(bucket, "registry", tmp_path) == ["tariffs/a.json", "tariffs/acme/a.json"]
