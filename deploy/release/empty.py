"""Empties buckets: CloudFormation deletes only empty ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError


def empty_buckets(s3: Any, buckets: Iterable[str]) -> int:
    """Delete every version of every object; returns their number. Ignores buckets that do not exist."""
    count = 0
    for bucket in buckets:
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                if found:
                    objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found]
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
                    count += len(found)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
    return count
