"""Creates a deployment at a local endpoint from the synthesized templates, and the properties of its job."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from deploy.kit.names import Names
from deploy.local.stacks import REGION, Stacks
from deploy.release.registry import upload
from deploy.stream_job.application import groups_of
from flink_job.io.kinesis import client

#: Logical ids (prefixes) of what invokes functions. Tests and demos create only the triggers that they need.
TRIGGERS = {
    "notifier": "AlertingnotifierReads",
    "sweeper": "AlertingEveryMinute",
    "last_values": "LastValuesWriter",
    "uploads": "UploadsUploaded",
}
_TRIGGER_KINDS = ("AWS::Lambda::EventSourceMapping", "AWS::Events::Rule")
LEASE_MS = 5_000


def create(
    names: Names,
    endpoint: str,
    tariffs: Path,
    rules: Path,
    shards: int = 2,
    triggers: Collection[str] = (),
    lease_ms: int = LEASE_MS,
) -> Stacks:
    """Create the stacks except monitoring, with only the chosen triggers, and upload tariffs and rules."""
    wanted = tuple(TRIGGERS[name] for name in triggers)

    def adapt(template: dict[str, Any]) -> None:
        resources = template["Resources"]
        for name, resource in list(resources.items()):
            if resource["Type"] in _TRIGGER_KINDS and not name.startswith(wanted or ("-",)):
                del resources[name]
                _remove_references(resources, name)
            elif resource["Type"] == "AWS::Kinesis::Stream":
                resource["Properties"]["ShardCount"] = shards
            elif resource["Type"] == "AWS::Lambda::Function" and "ROUTES_URI" in _variables(resource):
                _variables(resource).update(LEASE_MS=str(lease_ms), LOCAL_RECIPIENTS="1")

    stacks = Stacks(names, endpoint, adapt).create("data", "pipeline", "job")
    upload(client("s3", endpoint), names.registry, tariffs, rules)
    return stacks


def write_properties(
    path: Path, names: Names, endpoint: str, rules_refresh_s: float = 60, refresh_s: float = 300, **job: object
) -> None:
    """Write the properties of the deployed application to a file, with the local endpoint and settings of the job."""
    managed = client("kinesisanalyticsv2", endpoint)
    application = managed.describe_application(ApplicationName=names.application)["ApplicationDetail"]
    groups = groups_of(application)
    for name in ("readings", "contracts", "outputs", "tariffs"):
        groups[name] |= {"region": REGION, "endpoint": endpoint}
    groups["tariffs"] |= {"rules_refresh_s": str(rules_refresh_s), "refresh_s": str(refresh_s)}
    # A local endpoint has no backlog, and readings wait for this time at a start.
    groups["job"] |= {key: str(value) for key, value in {"contracts_idle_s": 4, **job}.items()}
    document = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _variables(resource: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = resource["Properties"].get("Environment", {}).get("Variables", {})
    return found


def _remove_references(resources: dict[str, Any], gone: str) -> None:
    """Remove permissions and policies that refer to a removed resource."""
    for name, resource in list(resources.items()):
        if resource["Type"] in ("AWS::Lambda::Permission", "AWS::SQS::QueuePolicy") and gone in json.dumps(resource):
            del resources[name]
