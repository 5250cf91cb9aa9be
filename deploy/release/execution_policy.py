"""Policies of CloudFormation's execution role, which `cdk bootstrap` attaches in place of AdministratorAccess.

resource_types.json has the actions that CloudFormation needs for each resource type, from AWS's resource schemas. They
are allowed on resources named after the project in one account and region; on any of the account if AWS names them.

    python -m deploy.release.execution_policy schema.json ...   # add types (`aws cloudformation describe-type`)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deploy.settings import APPLICATION

DATA = Path(__file__).with_name("resource_types.json")
#: Resource types in the templates, one per line; written by `python -m tests.deploy.iam`.
USED = Path(__file__).with_name("used_types.txt")
#: Maximum length of a managed policy, in characters without white space.
LIMIT = 6_144
#: Resources by IAM service prefix. CDK names asset buckets; CloudFormation derives role names from stacks.
SCOPES: Mapping[str, tuple[str, ...]] = {
    "apigateway": ("arn:aws:apigateway:{region}::/*",),
    "athena": ("arn:aws:athena:{region}:{account}:workgroup/{application}-*",),
    "backup": (
        "arn:aws:backup:{region}:{account}:backup-plan:*",
        "arn:aws:backup:{region}:{account}:backup-vault:{application}-*",
    ),
    "budgets": ("arn:aws:budgets::{account}:budget/{application}-*",),
    "cloudwatch": (
        "arn:aws:cloudwatch:{region}:{account}:alarm:{application}-*",
        "arn:aws:cloudwatch::{account}:dashboard/{application}-*",
    ),
    "cognito-idp": ("arn:aws:cognito-idp:{region}:{account}:userpool/*",),
    "dynamodb": ("arn:aws:dynamodb:{region}:{account}:table/{application}-*",),
    "ec2": ("arn:aws:ec2:{region}:{account}:*/*",),
    "ecr": ("arn:aws:ecr:{region}:{account}:repository/{application}-*",),
    "ecs": (
        "arn:aws:ecs:{region}:{account}:cluster/{application}-*",
        "arn:aws:ecs:{region}:{account}:task-definition/{application}*:*",
    ),
    "events": ("arn:aws:events:{region}:{account}:rule/{application}-*",),
    "firehose": ("arn:aws:firehose:{region}:{account}:deliverystream/{application}-*",),
    "glue": (
        "arn:aws:glue:{region}:{account}:catalog",
        "arn:aws:glue:{region}:{account}:database/{application}_*",
        "arn:aws:glue:{region}:{account}:table/{application}_*/*",
    ),
    "iam": ("arn:aws:iam::{account}:role/{application}-*",),
    "iot": (
        "arn:aws:iot:{region}:{account}:mitigationaction/{application}-*",
        "arn:aws:iot:{region}:{account}:policy/{application}-*",
        "arn:aws:iot:{region}:{account}:rolealias/{application}-*",
        "arn:aws:iot:{region}:{account}:rule/{application}_*",
        "arn:aws:iot:{region}:{account}:scheduledaudit/{application}-*",
        "arn:aws:iot:{region}:{account}:securityprofile/{application}-*",
        "arn:aws:iot:{region}:{account}:thinggroup/{application}-*",
        "arn:aws:iot:{region}:{account}:thingtype/{application}-*",
    ),
    "kinesis": ("arn:aws:kinesis:{region}:{account}:stream/{application}-*",),
    "kinesisanalytics": ("arn:aws:kinesisanalytics:{region}:{account}:application/{application}-*",),
    "kms": ("arn:aws:kms:{region}:{account}:key/*", "arn:aws:kms:{region}:{account}:alias/{application}-*"),
    "lambda": (
        "arn:aws:lambda:{region}:{account}:function:{application}-*",
        "arn:aws:lambda:{region}:{account}:event-source-mapping:*",
    ),
    "logs": tuple(
        f"arn:aws:logs:{{region}}:{{account}}:log-group:{begin}{{application}}-*"
        for begin in ("", "/aws/kinesis-analytics/", "/aws/lambda/", "/aws/vendedlogs/states/")
    ),
    "s3": ("arn:aws:s3:::{application}-*",),
    "scheduler": ("arn:aws:scheduler:{region}:{account}:schedule/*/{application}-*",),
    "sns": ("arn:aws:sns:{region}:{account}:{application}-*",),
    "sqs": ("arn:aws:sqs:{region}:{account}:{application}-*",),
    "ssm": (
        "arn:aws:ssm:{region}:{account}:parameter/cdk-bootstrap/{application}/*",
        "arn:aws:ssm:{region}:{account}:parameter/{application}-*",
    ),
    "states": ("arn:aws:states:{region}:{account}:stateMachine:{application}-*",),
}
#: Resources of actions that differ from those of their service.
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "iam:CreateServiceLinkedRole": ("arn:aws:iam::{account}:role/aws-service-role/*",),
    **dict.fromkeys(
        ("s3:GetObject", "s3:GetObjectVersion"), ("arn:aws:s3:::cdk-{application}-assets-{account}-{region}/*",)
    ),
}
#: Actions that every CDK stack needs: read the bootstrap version and the code assets.
_ANY_STACK = ("s3:GetObject", "ssm:GetParameters")
#: Services to which roles of the templates may be passed.
PASSED_TO = tuple(
    f"{name}.amazonaws.com"
    for name in (
        "ecs-tasks",
        "events",
        "firehose",
        "iot",
        "kinesisanalytics",
        "lambda",
        "scheduler",
        "states",
        "vpc-flow-logs",
    )
)


class UnknownTypeError(ValueError):
    """A resource type that is not in resource_types.json; the message says how to add it."""


def policies(types: Iterable[str], account: str, region: str) -> list[dict[str, Any]]:
    """Policy documents to create, update and delete resources of these types. Raises UnknownTypeError."""
    found: list[dict[str, Any]] = [{"Version": "2012-10-17", "Statement": []}]
    for statement in _statements(actions_for(types), account, region):
        if size({**found[-1], "Statement": [*found[-1]["Statement"], statement]}) > LIMIT:
            found.append({"Version": "2012-10-17", "Statement": []})
        found[-1]["Statement"].append(statement)
    return found


def used_types() -> set[str]:
    """Resource types in the templates of all environments, which may share an account."""
    return set(USED.read_text(encoding="utf-8").split())


def actions_for(types: Iterable[str]) -> set[str]:
    """Actions for these resource types. Raises UnknownTypeError."""
    known = _data()["types"]
    if unknown := sorted(set(types) - known.keys()):
        raise UnknownTypeError(
            f"{', '.join(unknown)}: not in {DATA.name}. Run `aws cloudformation describe-type --type RESOURCE "
            "--type-name T --query Schema --output text > schema.json`, then `python -m "
            "deploy.release.execution_policy schema.json`, and review the result"
        )
    return {action for kind in types for action in known[kind]} | set(_ANY_STACK)


def size(policy: Mapping[str, Any]) -> int:
    """Length of a policy as IAM counts it."""
    return len(json.dumps(policy, separators=(",", ":")))


def learned(schema: Mapping[str, Any]) -> list[str]:
    """Actions in the schema of a resource type."""
    handlers = schema.get("handlers", {})
    lists = [handlers.get(name, {}).get("permissions", ()) for name in ("create", "read", "update", "delete")]
    return sorted({action for each in (*lists, schema.get("tagging", {}).get("permissions", ())) for action in each})


def _statements(actions: set[str], account: str, region: str) -> Iterator[dict[str, Any]]:
    everywhere = actions & set(_data()["without_resources"])
    by_scope: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(actions - everywhere - {"iam:PassRole"}):
        scope = _ELSEWHERE.get(action) or SCOPES[action.split(":")[0]]
        by_scope.setdefault(scope, []).append(action)
    for scope, allowed in by_scope.items():
        arns = [arn.format(account=account, region=region, application=APPLICATION) for arn in scope]
        yield {"Effect": "Allow", "Action": allowed, "Resource": arns}
    if "iam:PassRole" in actions:
        [roles] = SCOPES["iam"]
        yield {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": roles.format(account=account, application=APPLICATION),
            "Condition": {"StringEquals": {"iam:PassedToService": list(PASSED_TO)}},
        }
    if everywhere:
        yield {
            "Effect": "Allow",
            "Action": sorted(everywhere),
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
        }


@cache
def _data() -> dict[str, Any]:
    return dict(json.loads(DATA.read_text(encoding="utf-8")))


def main() -> None:
    """Add the resource types of schema files to resource_types.json."""
    data = _data()
    for name in sys.argv[1:]:
        schema = json.loads(Path(name).read_text(encoding="utf-8"))
        data["types"][schema["typeName"]] = learned(schema)
    data["types"] = dict(sorted(data["types"].items()))
    DATA.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
