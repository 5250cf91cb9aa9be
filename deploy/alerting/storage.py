"""DynamoDB table of the state and history of alerts."""

from __future__ import annotations

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from deploy.kit.deployment import Deployment, removal


def alert_state(scope: Construct, deployment: Deployment) -> dynamodb.Table:
    """Create the table; deploy/alerting/runtime/table.py describes its items."""
    names, environment, key = deployment.names, deployment.environment, deployment.key
    text, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
    table = dynamodb.Table(
        scope,
        "AlertState",
        table_name=names.alert_state,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        partition_key=dynamodb.Attribute(name="pk", type=text),
        sort_key=dynamodb.Attribute(name="sk", type=text),
        time_to_live_attribute="expires_s",
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
        deletion_protection=environment.retain,
        removal_policy=removal(environment),
    )
    table.add_global_secondary_index(
        index_name="by_site",
        partition_key=dynamodb.Attribute(name="site_status", type=text),
        sort_key=dynamodb.Attribute(name="raised_ms", type=number),
    )
    return table
