"""The stacks, by how long they live: data stay, the pipeline is replaced at will, the job keeps its state in snapshots.

Units are put together here, and here it is granted what one may do with another.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, Aws, CfnOutput, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from deploy.alerting.infrastructure import AlertingFunctions, NotificationTopics
from deploy.alerting.storage import alert_state
from deploy.api.infrastructure import ALERT_ROUTES, QUERY_ROUTES, Api, Queries
from deploy.backup.infrastructure import Backups
from deploy.batch.image import tag
from deploy.canary.infrastructure import Canary
from deploy.contracts.infrastructure import ContractStore
from deploy.contracts.storage import contract_table
from deploy.identity.infrastructure import UserPool
from deploy.ingest.devices import Devices
from deploy.ingest.streams import Streams
from deploy.ingest.uploads import Network, Uploads, machine_name
from deploy.kit.deployment import Deployment, removal
from deploy.kit.grants import allow, read_objects
from deploy.kit.names import ROUTES, RULES_FOLDER, Names
from deploy.lake.delivery import Athena, Catalog, Delivery
from deploy.lake.last_values import LastValues, last_values_table
from deploy.lake.storage import Storage
from deploy.monitoring.alarms import alarms
from deploy.monitoring.infrastructure import Monitoring
from deploy.settings import Environment
from deploy.stream_job.infrastructure import StreamJob
from flink_job.schemas import ALERT_ACTIONS, OUTPUTS

DEAD = ("contracts", "batches", "events", "inbox.fifo", "uploads", "last-values", "messages")
#: Services that write into encrypted queues and topics, or encrypt logs, with the key.
KEY_USERS = ("sns.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com")


class Data(Stack):
    """What outlives every deployment: keys, streams, buckets, backups, the state of alerts, people, images."""

    def __init__(self, scope: Construct, id: str, environment: Environment, **options: Any) -> None:
        super().__init__(scope, id, **options)
        retained = removal(environment)
        names = names_of(environment)
        self.key = kms.Key(
            self, "Key", alias=f"alias/{names.prefix}", enable_key_rotation=True, removal_policy=retained
        )
        _let_services_use(self.key)
        deployment = Deployment(names, environment, self.key)
        self.streams = Streams(self, "Streams", deployment)
        self.storage = Storage(self, "Storage", deployment)
        self.backups = Backups(self, "Backups", names, environment, self.storage.access_logs)
        self.alert_state = alert_state(self, deployment)
        self.contract_table = contract_table(self, deployment)
        self.people = UserPool(self, "People", names, environment)
        self.images = ecr.Repository(
            self,
            "Images",
            repository_name=names.images,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.key,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=10)],
            empty_on_delete=not environment.retain,
            removal_policy=retained,
        )
        output(self, "Readings", names.readings)
        output(self, "Registry", names.registry)
        output(self, "Uploads", names.uploads)
        output(self, "Backups", names.backups)
        output(self, "Pool", self.people.pool.user_pool_id)
        output(self, "SignIn", self.people.sign_in_url)
        output(self, "Client", self.people.client.user_pool_client_id)
        output(self, "Images", self.images.repository_uri)


class Pipeline(Stack):
    """What can be made again from its description: catalogue, delivery, devices, files, alerting, the API."""

    def __init__(self, scope: Construct, id: str, environment: Environment, data: Data, **options: Any) -> None:
        super().__init__(scope, id, **options)
        names, key = names_of(environment), key_of(self, data)
        deployment = Deployment(names, environment, key)
        self.add_stack_dependency(data)

        catalog = Catalog(self, "Catalog", names)
        self.delivery = Delivery(self, "Delivery", deployment)
        self.delivery.node.add_dependency(catalog)
        athena = Athena(self, "Athena", deployment)

        Devices(self, "Devices", deployment, data.streams.readings)
        contracts = ContractStore(self, "Contracts", deployment, data.contract_table)
        contracts.listen(data.streams.contracts)
        contracts.export()
        network = Network(self, "Network", deployment)
        uploads = Uploads(self, "Uploads", deployment, network, data.images, tag())
        uploads.start_at(names.uploads)
        uploads.reach(data.streams.readings)

        channels = NotificationTopics(self, "Channels", deployment)
        actions = names.delivery(ALERT_ACTIONS.name)
        variables = {
            "TABLE": data.alert_state.table_name,
            "ROUTES_URI": f"s3://{names.registry}/{ROUTES}",
            "CHECK_QUEUE": channels.check.queue_url,
            "DEPLOYMENT": names.prefix,
            "ACTIONS_STREAM": actions,
        }
        alerting = AlertingFunctions(self, "Alerting", deployment, variables)
        alerting.grant(data.alert_state, channels)
        alerting.consume(data.streams.alerts)
        alerting.schedule_sweeper()
        for function in (alerting.notifier, alerting.sweeper):
            read_objects(function.role, names.registry, RULES_FOLDER)
        allow(alerting.api.role, ["firehose:PutRecord"], self.delivery.arn(ALERT_ACTIONS.name))

        last_values = last_values_table(self, names, key)
        if environment.last_values:
            writer = LastValues(self, "LastValuesWriter", deployment, last_values)
            writer.listen(data.streams.readings, data.streams.contracts)
        api = Api(self, "Api", deployment, data.people.pool, data.people.client)
        queries = Queries(self, "Queries", deployment, athena.name, last_values.table_name)
        queries.read(last_values)
        api.route(ALERT_ROUTES, alerting.api.function, "Alerts")
        api.route(QUERY_ROUTES, queries.function.function, "Queries")

        if environment.canary:
            Canary(self, "Canary", deployment, athena.name).schedule(data.streams.readings, data.streams.contracts)

        # By a parameter, not by an export: this stack can be replaced without the one that watches it.
        ssm.StringParameter(self, "ApiIdForWatch", parameter_name=names.api_id, string_value=api.api.api_id)
        output(self, "ApiUrl", api.url)
        output(self, "ApiId", api.api.api_id)
        output(self, "WorkGroup", athena.name)
        output(self, "Topic", channels.people.topic_arn)
        output(self, "FifoTopic", channels.programs.topic_arn)
        output(self, "Inbox", channels.inbox.queue_url)
        output(self, "CheckQueue", channels.check.queue_url)
        output(self, "Machine", uploads.machine.state_machine_arn)
        for name, function in {
            "Notifier": alerting.notifier,
            "Sweeper": alerting.sweeper,
            "AlertsApi": alerting.api,
            "QueriesApi": queries.function,
        }.items():
            output(self, name, function.function.function_arn)


class Job(Stack):
    """The stream job. Its state lives in snapshots, which go with the application: it is updated, not replaced."""

    def __init__(
        self, scope: Construct, id: str, environment: Environment, data: Data, state: str,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(scope, id, **options)
        names = names_of(environment)
        deployment = Deployment(names, environment, key_of(self, data))
        job = StreamJob(self, "StreamJob", deployment, state)
        job.read(data.streams.readings)
        job.read(data.streams.contracts)
        job.write(data.streams.alerts)
        for name in OUTPUTS:
            # By name, not by an export of the pipeline, which can then be replaced while the job stays.
            job.deliver(
                self.format_arn(service="firehose", resource="deliverystream", resource_name=names.delivery(name))
            )
        job.consult(names.registry)
        output(self, "Application", names.application)


class Watch(Stack):
    """Alarms, dashboard, budget."""

    def __init__(self, scope: Construct, id: str, environment: Environment, data: Data, **options: Any) -> None:
        super().__init__(scope, id, **options)
        names = names_of(environment)
        queues = [f"{names.prefix}-dead-{what}" for what in DEAD if environment.last_values or what != "last-values"]
        deployment = Deployment(names, environment, key_of(self, data))
        machine = self.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=machine_name(names),
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        api_id = ssm.StringParameter.value_for_string_parameter(self, names.api_id)
        watch = Monitoring(self, "Monitoring", deployment, alarms(names, environment, queues, api_id, machine))
        output(self, "Operators", watch.operators.topic_arn)


def names_of(environment: Environment) -> Names:
    """Names, with those of buckets made unique by account and region."""
    return Names(environment.prefix, f"{Aws.ACCOUNT_ID}-{Aws.REGION}")


def key_of(stack: Stack, data: Data) -> kms.IKey:
    """The key as other stacks know it, who may use it but not change who else may."""
    return kms.Key.from_key_arn(stack, "Key", data.key.key_arn)


def output(stack: Stack, name: str, value: str) -> None:
    CfnOutput(stack, f"Out{name}", value=value)


def _let_services_use(key: kms.Key) -> None:
    """Services that act for this account use the key where they deliver into what it encrypts."""
    own = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
    for name in KEY_USERS:
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[iam.ServicePrincipal(name, conditions=own)],
                resources=["*"],
            )
        )
    logs = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            principals=[
                iam.ServicePrincipal(
                    f"logs.{Aws.REGION}.amazonaws.com",
                    conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
                )
            ],
            resources=["*"],
        )
    )
