"""The streams: readings and contracts come in, alerts go out to the notifier."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from deploy.kit.deployment import Deployment, removal
from deploy.kit.nag import accept


class Streams(Construct):
    """Three Kinesis streams, encrypted."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._environment, self._key = environment, key
        self.readings = self._stream("Readings", names.readings, environment.retention_h, environment.shards)
        # The job keeps contracts in its state; one that starts without state reads them all again from here.
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
        accept(stream, "AwsSolutions-KDS3", "A key of one's own, whose use is granted by role.")
        return stream
