"""The stacks of a deployment, split by lifetime: retained data, replaceable pipeline, job with snapshots, monitoring.

The pipeline is in deploy/pipeline.py.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from deploy.alerting.storage import alert_state
from deploy.backup.infrastructure import Backups
from deploy.contracts.storage import contract_table
from deploy.identity.infrastructure import UserPool
from deploy.ingest.streams import Streams
from deploy.ingest.uploads import machine_name as uploads_name
from deploy.kit.deployment import Deployment, names_of, removal
from deploy.kit.keys import let_services_use
from deploy.kit.outputs import output
from deploy.lake.storage import Storage
from deploy.monitoring.alarms import alarms
from deploy.monitoring.infrastructure import Monitoring
from deploy.settings import Environment
from deploy.settlement.infrastructure import machine_name as settlement_name
from deploy.stream_job.infrastructure import StreamJob
from flink_job.schemas import OUTPUTS

#: Dead-letter queues of the pipeline, `<prefix>-dead-<name>`; each has an alarm.
DEAD = ("contracts", "batches", "events", "inbox.fifo", "uploads", "last-values", "messages")


class DataStack(Stack):
    """Resources that outlive every deployment: keys, streams, buckets, backups, tables, user pool, image repository."""

    def __init__(self, scope: Construct, id: str, environment: Environment, **options: Any) -> None:
        super().__init__(scope, id, **options)
        names = names_of(environment)
        self.key = kms.Key(
            self, "Key", alias=f"alias/{names.prefix}", enable_key_rotation=True, removal_policy=removal(environment)
        )
        let_services_use(self.key)
        self._deployment = deployment = Deployment(names, environment, self.key)
        self.streams = Streams(self, "Streams", deployment)
        self.storage = Storage(self, "Storage", deployment)
        self.backups = Backups(self, "Backups", names, environment, self.storage.access_logs)
        self.alert_state = alert_state(self, deployment)
        self.contract_table = contract_table(self, deployment)
        self.people = UserPool(self, "People", names, environment)
        self.images = self._images()
        self._outputs()

    def _images(self) -> ecr.Repository:
        """Repository of the container image that publishes uploaded files and settles."""
        names, environment = self._deployment.names, self._deployment.environment
        return ecr.Repository(
            self,
            "Images",
            repository_name=names.images,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.key,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=10)],
            empty_on_delete=not environment.retain,
            removal_policy=removal(environment),
        )

    def _outputs(self) -> None:
        names = self._deployment.names
        output(self, "Readings", names.readings, "Kinesis stream of readings")
        output(self, "Registry", names.registry, "Bucket of tariffs, alert rules and routes")
        output(self, "Uploads", names.uploads, "Bucket for uploaded files of readings")
        output(self, "Backups", names.backups, "Bucket of backups")
        output(self, "Pool", self.people.pool.user_pool_id, "Cognito user pool of the API")
        output(self, "SignIn", self.people.sign_in_url, "Sign-in page")
        output(self, "Client", self.people.client.user_pool_client_id, "Cognito app client of the API")
        output(self, "Images", self.images.repository_uri, "Repository of the image that publishes uploaded files")


class JobStack(Stack):
    """The Flink application. Its snapshots are deleted with it, so it is updated in place and never replaced."""

    def __init__(
        self, scope: Construct, id: str, environment: Environment, data: DataStack, state: str,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(scope, id, **options)
        names = names_of(environment)
        job = StreamJob(self, "StreamJob", Deployment(names, environment, imported_key(self, data)), state)
        if environment.source:
            job.read_inputs(names.of(environment.source_prefix))
        else:
            job.read(data.streams.readings)
            job.read(data.streams.contracts)
            job.read_registry(names.registry)
            job.write_copies(names.registry)
        # Alerts are read back: those that a restart has lost end.
        job.read(data.streams.alerts)
        job.write(data.streams.alerts)
        for name in OUTPUTS:
            # By name, not by an export of the pipeline, so that the pipeline can be replaced while the job runs.
            job.deliver(
                self.format_arn(service="firehose", resource="deliverystream", resource_name=names.delivery(name))
            )
        output(self, "Application", names.application, "Application of Managed Service for Apache Flink")


class MonitoringStack(Stack):
    """Alarms, dashboard, budget, and the topic that notifies operators."""

    def __init__(self, scope: Construct, id: str, environment: Environment, data: DataStack, **options: Any) -> None:
        super().__init__(scope, id, **options)
        names = names_of(environment)
        queues = [f"{names.prefix}-dead-{name}" for name in DEAD if environment.last_values or name != "last-values"]
        machines = (self._machine(uploads_name(names)), self._machine(settlement_name(names)))
        api_id = ssm.StringParameter.value_for_string_parameter(self, names.api_id)
        deployment = Deployment(names, environment, imported_key(self, data))
        monitoring = Monitoring(self, "Monitoring", deployment, alarms(names, environment, queues, api_id, *machines))
        output(self, "Operators", monitoring.operators.topic_arn, "Topic that notifies operators of alarms")

    def _machine(self, name: str) -> str:
        """ARN of a state machine of the pipeline, by name, so that the pipeline can be replaced."""
        return self.format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )


def imported_key(stack: Stack, data: DataStack) -> kms.IKey:
    """The data key as an imported key: other stacks may grant its use, but cannot change its policy."""
    return kms.Key.from_key_arn(stack, "Key", data.key.key_arn)
