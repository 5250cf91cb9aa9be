"""Validates tariffs, rules and routes, and uploads them to the registry bucket."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.alerting.recipient_policy import RecipientPolicy
from deploy.alerting.runtime.routes import read_routes
from deploy.errors import DeployError
from deploy.kit.names import ROUTES, RULES, TARIFFS
from flink_job.alerts.document import parse_rules
from flink_job.tariffs.registry import open_registry


class RegistryError(DeployError, ValueError):
    """An invalid document; the message names file and reason."""


def has(s3: Any, bucket: str, prefix: str) -> bool:
    """True if the bucket has an object under the prefix."""
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))


def upload(
    s3: Any,
    bucket: str,
    tariffs: Path | None = None,
    rules: Path | None = None,
    routes: Path | None = None,
    reach: RecipientPolicy | None = None,
) -> list[str]:
    """Validate all documents, then upload them; returns their keys. Raises RegistryError before any upload.

    `reach` has the recipients and secrets that routes may name.
    """
    found: dict[str, bytes] = {}
    if tariffs:
        found = {f"{TARIFFS}{name}": content for name, content in _checked(s3, bucket, tariffs).items()}

    def check_routes(text: bytes) -> None:
        read = read_routes(text)
        if reach:
            reach.check(read)

    for path, key, check in ((rules, RULES, parse_rules), (routes, ROUTES, check_routes)):
        if path:
            found[key] = path.read_bytes()
            try:
                check(found[key])
            except ValueError as error:
                raise RegistryError(f"{path}: {error}") from None
    for key, content in found.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return list(found)


def _checked(s3: Any, bucket: str, folder: Path) -> dict[str, bytes]:
    """The tariffs of a folder by name. Raises RegistryError if one is invalid or conflicts with one in the bucket."""
    if faults := open_registry(str(folder)).faults:
        raise RegistryError("\n".join(faults.values()))
    paths = [*sorted(folder.glob("*.json")), *sorted(folder.glob("*/*.json"))]
    documents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    with TemporaryDirectory() as name:
        after = Path(name)
        for place, content in {**_published(s3, bucket), **documents}.items():
            (after / place).parent.mkdir(parents=True, exist_ok=True)
            (after / place).write_bytes(content)
        faults = {place: fault for place, fault in open_registry(name).faults.items() if place in documents}
    if faults:
        raise RegistryError("\n".join(faults.values()))
    return documents


def _published(s3: Any, bucket: str) -> dict[str, bytes]:
    """The tariffs in the bucket by name, with their copies."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=TARIFFS)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ()) if not item["Key"].endswith("/")]
    return {key.removeprefix(TARIFFS): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
