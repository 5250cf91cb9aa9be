"""Emptying buckets, which CloudFormation does not remove while they hold anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError


def empty_buckets(s3: Any, buckets: Iterable[str]) -> int:
    """Delete every version of every object; returns how many there were. A bucket that is not there is empty."""
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
