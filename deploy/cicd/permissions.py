"""Permissions of `python -m deploy up --skip-bootstrap` besides CloudFormation: snapshot, registry, image, checks."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.kit.grants import allow, read_objects, write_objects
from deploy.kit.nag import accept
from deploy.kit.names import CONTRACTS, RULES_FOLDER, SNAPSHOT, TARIFFS, Names
from deploy.kit.query_grants import grant_queries
from deploy.monitoring.alarms import DRILL
from deploy.release.smoke import COST

_NO_RESOURCES = "The action supports no resource-level permissions (service authorization reference)."
_DRILL_QUEUE = "The drill creates a queue with a new name each time, and deletes it."
_KEY = "The key id is only known after deployment; the condition names its alias."
#: Actions of `docker push`: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
_PUSH = (
    "BatchCheckLayerAvailability",
    "CompleteLayerUpload",
    "InitiateLayerUpload",
    "PutImage",
    "UploadLayerPart",
)


def release(role: iam.Role, names: Names) -> None:
    """Grant the steps of a deployment, in order."""
    _application(role, names)
    _registries(role, names)
    _image(role, names)
    allow(role, ["ce:UpdateCostAllocationTagsStatus"], "*", because=_NO_RESOURCES)
    _drill(role, names)
    _checks(role, names)
    _use_key(role, names)


def _application(role: iam.Role, names: Names) -> None:
    snapshots = [f"{what}ApplicationSnapshot" for what in ("Create", "Delete", "Describe")]
    operations = (*snapshots, "ListApplicationSnapshots", "DescribeApplication", "StartApplication")
    actions = [f"kinesisanalytics:{operation}" for operation in operations]
    allow(role, actions, _arn(role, "kinesisanalytics", "application", names.application))


def _registries(role: iam.Role, names: Names) -> None:
    """Upload samples to an empty registry, and export the contracts."""
    read_objects(role, names.registry, TARIFFS)
    write_objects(role, names.registry, TARIFFS, RULES_FOLDER, CONTRACTS, SNAPSHOT)
    allow(role, ["dynamodb:Scan"], _arn(role, "dynamodb", "table", names.contract_store))


def _image(role: iam.Role, names: Names) -> None:
    repository = _arn(role, "ecr", "repository", names.images)
    operations = ("DescribeImages", "DescribeRepositories", *_PUSH)
    allow(role, [f"ecr:{operation}" for operation in operations], repository)
    allow(role, ["ecr:GetAuthorizationToken"], "*", because=_NO_RESOURCES)


def _drill(role: iam.Role, names: Names) -> None:
    actions = [f"cloudwatch:{action}" for action in ("DescribeAlarmHistory", "DescribeAlarms", "SetAlarmState")]
    allow(role, actions, _arn(role, "cloudwatch", "alarm", f"{names.prefix}-{DRILL}", ":"))
    topic = _arn(role, "sns", f"{names.prefix}-operators")
    allow(role, ["sns:ListSubscriptionsByTopic", "sns:Subscribe"], topic)
    allow(role, ["sns:Unsubscribe"], "*", because=_NO_RESOURCES)
    operations = ("CreateQueue", "DeleteQueue", "GetQueueAttributes", "ReceiveMessage", "SetQueueAttributes")
    queue = _arn(role, "sqs", f"{names.prefix}-drill-*")
    allow(role, [f"sqs:{operation}" for operation in operations], queue, because=_DRILL_QUEUE)


def _checks(role: iam.Role, names: Names) -> None:
    """Smoke tests of alerting and of the job."""
    streams = [_arn(role, "kinesis", "stream", name) for name in (names.alerts, names.contracts, names.readings)]
    allow(role, ["kinesis:PutRecord"], *streams)
    actions = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    allow(role, actions, _arn(role, "sqs", names.check_queue))
    grant_queries(role, names, names.prefix, COST)


def _use_key(role: iam.Role, names: Names) -> None:
    """Use the data key, selected by its alias."""
    alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{names.prefix}"}}
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[_arn(role, "kms", "key", "*")],
            conditions=alias,
        )
    )
    stack = Stack.of(role)
    accept(role, f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kms:{stack.region}:{stack.account}:key/*]", _KEY)


def _arn(role: iam.Role, service: str, resource: str, name: str = "", separator: str = "/") -> str:
    stack = Stack.of(role)
    text = f"{resource}{separator}{name}" if name else resource
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{text}"
