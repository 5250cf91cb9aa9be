"""Registry: tariffs, rules and routes, checked and put where the job looks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.alerting.recipient_policy import RecipientPolicy
from deploy.alerting.runtime.routes import read_routes
from deploy.kit.names import ROUTES, RULES, TARIFFS
from flink_job.alerts.document import parse_rules
from flink_job.tariffs.registry import open_registry


class RegistryError(ValueError):
    """A document that the job could not use; the message says which and why."""


def has(s3: Any, bucket: str, prefix: str) -> bool:
    """True when the bucket holds an object below a prefix."""
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))


def upload(
    s3: Any,
    bucket: str,
    tariffs: Path | None = None,
    rules: Path | None = None,
    routes: Path | None = None,
    reach: RecipientPolicy | None = None,
) -> list[str]:
    """Check every document, then upload them; returns their keys. Raises RegistryError before anything is uploaded.

    `reach` is what routes may name.
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
