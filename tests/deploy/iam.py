"""Every permission that the templates give, a line each; `python -m tests.deploy.iam` writes the file for review."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deploy.kit.grants import shown

SNAPSHOT = Path(__file__).with_name("permissions.txt")
STACKS = ("metering-dev-data", "metering-dev-pipeline", "metering-dev-job", "metering-dev-monitoring")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
_RESOURCE_POLICIES = {
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::IoT::Policy": "PolicyDocument",
}


def permissions(templates: dict[str, dict[str, Any]], stacks: Iterable[str] = STACKS) -> list[str]:
    """Lines: who may do what with what, under which condition; sorted."""
    lines = set()
    for stack in stacks:
        for name, resource in templates[stack]["Resources"].items():
            lines |= {f"{stack} {line}" for line in _of_resource(name, resource)}
    # The package's object is named by its content, which every change of the code changes.
    return sorted(re.sub(r"[0-9a-f]{64}", "<hash>", line) for line in lines)


def granted(template: dict[str, Any]) -> dict[str, dict[str, set[str]]]:
    """By role of a template: the resources on which it may do each action, as `shown` writes them."""
    resources = template["Resources"]
    found: dict[str, dict[str, set[str]]] = {n: {} for n, r in resources.items() if r["Type"] == "AWS::IAM::Role"}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            for role in resource["Properties"]["Roles"]:
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    for action in _list(statement["Action"]):
                        names = {shown(each) for each in _list(statement["Resource"])}
                        found[role["Ref"]].setdefault(action, set()).update(names)
    return found


def _of_resource(name: str, resource: dict[str, Any]) -> Iterator[str]:
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind in _POLICIES:
        yield from _statements(f"{_names(properties.get('Roles', []))} may", properties["PolicyDocument"])
    elif kind == "AWS::IAM::Role":
        yield from _statements(f"{name} is taken on by", properties["AssumeRolePolicyDocument"])
        for arn in properties.get("ManagedPolicyArns", ()):
            yield f"{name} has managed policy {shown(arn)}"
        for policy in properties.get("Policies", ()):
            yield from _statements(f"{name} may", policy["PolicyDocument"])
    elif kind in _RESOURCE_POLICIES:
        yield from _statements(f"{name} lets", properties[_RESOURCE_POLICIES[kind]])
    elif kind == "AWS::Lambda::Permission":
        who = properties.get("SourceArn") or properties.get("SourceAccount")
        yield f"{name} lets {shown(properties['Principal'])} {properties['Action']} from {shown(who)}"


def _statements(who: str, document: dict[str, Any]) -> Iterator[str]:
    for statement in document["Statement"]:
        condition = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""
        principal = json.dumps(statement["Principal"], sort_keys=True) if "Principal" in statement else ""
        for action in _list(statement.get("Action", statement.get("NotAction"))):
            for resource in _list(statement.get("Resource", "itself")):
                line = (who, principal, statement["Effect"], action, "on", shown(resource), condition)
                yield " ".join(part for part in line if part)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(roles: list[Any]) -> str:
    return ", ".join(shown(role) for role in roles)


def types_in(templates: Iterable[dict[str, Any]]) -> set[str]:
    """Types of the resources in templates."""
    return {resource["Type"] for template in templates for resource in template["Resources"].values()}


def main() -> None:
    """Write the file, and the types of resources in use (deploy/release/execution_policy.py)."""
    from deploy.app import synthesize
    from deploy.release.execution_policy import USED
    from deploy.settings import ENVIRONMENTS
    from tests.deploy.conftest import EVERYTHING

    with tempfile.TemporaryDirectory() as folder:
        out = synthesize([*ENVIRONMENTS.values(), EVERYTHING], Path(folder))
        texts = {path.name: path.read_text(encoding="utf-8") for path in out.glob("*.template.json")}
    templates = {name.removesuffix(".template.json"): json.loads(text) for name, text in texts.items()}
    SNAPSHOT.write_text("\n".join(permissions(templates)) + "\n", encoding="utf-8")
    USED.write_text("\n".join(sorted(types_in(templates.values()))) + "\n", encoding="utf-8")
    for path in (SNAPSHOT, USED):
        print(f"{path}: {len(path.read_text(encoding='utf-8').splitlines())} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
