"""Validates tariffs, rules and routes, and uploads them to the registry bucket."""

from __future__ import annotations

from pathlib import Path
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
        if faults := open_registry(str(tariffs)).faults:
            raise RegistryError("\n".join(faults.values()))
        found |= {f"{TARIFFS}{path.name}": path.read_bytes() for path in sorted(tariffs.glob("*.json"))}
        found |= {
            f"{TARIFFS}{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(tariffs.glob("*/*.json"))
        }

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
