"""Kinesis streams: readings and contracts into the job, alerts from the job to the notifier."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from deploy.kit.deployment import Deployment, removal
from deploy.kit.nag import accept


class Streams(Construct):
    """The three streams, encrypted with the data key."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._environment, self._key = environment, key
        self.readings = self._stream("Readings", names.readings, environment.retention_h, environment.shards)
        # A job without state reads all contracts again, hence the long retention.
        self.contracts = self._stream("Contracts", names.contracts, environment.contracts_retention_h, 1)
        self.alerts = self._stream("Alerts", names.alerts, environment.retention_h, 1)

    def _stream(self, id: str, name: str, retention_h: int, shards: int) -> kinesis.Stream:
        on_demand = shards == 0
        stream = kinesis.Stream(
            self,
            id,
            stream_name=name,
            stream_mode=kinesis.StreamMode.ON_DEMAND if on_demand else kinesis.StreamMode.PROVISIONED,
            shard_count=None if on_demand else shards,
            retention_period=Duration.hours(retention_h),
            encryption=kinesis.StreamEncryption.KMS,
            encryption_key=self._key,
            removal_policy=removal(self._environment),
        )
        accept(stream, "AwsSolutions-KDS3", "Encrypted with a customer managed key, whose use is granted by role.")
        return stream
