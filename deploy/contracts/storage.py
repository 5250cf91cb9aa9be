"""The table of contracts."""

from __future__ import annotations

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from deploy.kit.deployment import Deployment, removal


def contract_table(scope: Construct, deployment: Deployment) -> dynamodb.Table:
    """The table: one item per tenant and meter, described in deploy/contracts/runtime/keeper.py."""
    names, environment = deployment.names, deployment.environment
    return dynamodb.Table(
        scope,
        "ContractStore",
        table_name=names.contract_store,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        partition_key=dynamodb.Attribute(name="meter_id", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="tenant", type=dynamodb.AttributeType.STRING),
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=deployment.key,
        point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
        deletion_protection=environment.retain,
        removal_policy=removal(environment),
    )
