"""Log groups: encrypted, with the environment's retention, deleted with their stack."""

from __future__ import annotations

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.kit.deployment import Deployment

_RETENTION = {7: "ONE_WEEK", 30: "ONE_MONTH", 90: "THREE_MONTHS", 365: "ONE_YEAR"}


def log_group(scope: Construct, id: str, deployment: Deployment, name: str | None = None) -> logs.LogGroup:
    """A log group; without `name` CloudFormation names it."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=getattr(logs.RetentionDays, _RETENTION[deployment.environment.log_days]),
        encryption_key=deployment.key,
        removal_policy=RemovalPolicy.DESTROY,
    )


def log_stream_arn(group: logs.LogGroup, stream: logs.LogStream) -> str:
    """ARN of a log stream."""
    return Stack.of(group).format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"{group.log_group_name}:log-stream:{stream.log_stream_name}",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
