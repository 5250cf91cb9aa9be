"""Functions of the contract store: one stores contracts of the stream, one exports them for runs of files and for jobs
without state.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from deploy.kit.bundling import CONTRACTS as CODE
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import use_table, write_objects
from deploy.kit.names import CONTRACTS, SNAPSHOT
from deploy.kit.queues import queue

BATCH, RETRIES, WINDOW_S = 200, 100, 5
#: Contracts published between two exports are read from the stream, which retains records for at least a day.
EVERY = Duration.hours(1)
EXPORT_S, EXPORT_MB = 900, 1024


class ContractStore(Construct):
    """Keeper (stores contracts), exporter, and their dead-letter queue."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, table: dynamodb.ITable) -> None:
        super().__init__(scope, id)
        names = deployment.names
        variables = {
            "TABLE": table.table_name,
            "BUCKET": names.registry,
            "CONTRACTS_KEY": CONTRACTS,
            "SNAPSHOT_KEY": SNAPSHOT,
        }
        self.keeper = Function(
            self, "contracts-keeper", deployment, CODE, "keeper.handler", {"TABLE": table.table_name}
        )
        self.exporter = Function(
            self, "contracts-exporter", deployment, CODE, "exporter.handler", variables, EXPORT_S, EXPORT_MB
        )
        use_table(self.keeper.role, table, ["PutItem"])
        use_table(self.exporter.role, table, ["Scan"])
        write_objects(self.exporter.role, names.registry, CONTRACTS, SNAPSHOT)
        self._dead = queue(self, "Dead", deployment.key, name=f"{names.prefix}-dead-contracts")

    def listen(self, contracts: kinesis.IStream) -> None:
        """Let the keeper read the contracts stream."""
        self.keeper.listen(contracts, self._dead, BATCH, RETRIES, window_s=WINDOW_S)

    def export(self) -> None:
        """Schedule the exporter."""
        rule = events.Rule(self, "Export", schedule=events.Schedule.rate(EVERY))
        rule.add_target(targets.LambdaFunction(self.exporter.function, dead_letter_queue=self._dead))
