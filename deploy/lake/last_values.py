"""Last values of each meter in DynamoDB, for lookups without a query of the lake."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from constructs import Construct

from deploy.kit.bundling import LAST_VALUES
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import use_table
from deploy.kit.names import Names
from deploy.kit.queues import queue

BATCH, RETRIES, WINDOW_S = 1000, 10, 5


def last_values_table(scope: Construct, names: Names, key: kms.IKey) -> dynamodb.Table:
    """The table, described in deploy/lake/runtime/writer.py. Derived from the streams, so it is not backed up."""
    return dynamodb.Table(
        scope,
        "LastValues",
        table_name=f"{names.prefix}-last-values",
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        partition_key=dynamodb.Attribute(name="meter_id", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="position", type=dynamodb.AttributeType.STRING),
        time_to_live_attribute="expires_s",
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
        removal_policy=RemovalPolicy.DESTROY,
    )


class LastValues(Construct):
    """The function that writes readings and sites of both streams to the table."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        table: dynamodb.ITable,
    ) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        variables = {"TABLE": table.table_name, "RETENTION_DAYS": str(environment.last_values_days)}
        variables["CONTRACTS"] = names.contracts
        self.writer = Function(self, "last-values", deployment, LAST_VALUES, "writer.handler", variables)
        use_table(self.writer.role, table, ["BatchWriteItem"])
        self._dead = queue(self, "Dead", key, name=f"{names.prefix}-dead-last-values")

    def listen(self, *streams: kinesis.IStream) -> None:
        """Invoke the function with batches of streams."""
        for stream in streams:
            self.writer.listen(stream, self._dead, BATCH, RETRIES, window_s=WINDOW_S)
