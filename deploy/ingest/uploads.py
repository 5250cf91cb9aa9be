"""Uploaded files: a Fargate task validates each object of the upload bucket and publishes its readings."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from deploy.ingest.network import Network
from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, read_objects, use_key, write_objects
from deploy.kit.logs import log_group
from deploy.kit.nag import accept
from deploy.kit.names import Names
from deploy.kit.queues import queue

_EVERYTHING = "AwsSolutions-IAM5[Resource::*]"
INBOX, RECEIPTS, MAPS = "inbox/", "receipts/", "maps/"
CPU, MEMORY_MIB, DISK_GIB = 2048, 8192, 50
LIMIT = Duration.hours(6)


def machine_name(names: Names) -> str:
    """Name of the state machine; alarms refer to it."""
    return f"{names.prefix}-uploads"


class Uploads(Construct):
    """EventBridge rule, Step Functions state machine and Fargate task."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        network: Network,
        image: ecr.IRepository,
        tag: str,
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        self._deployment, self._names, self._key = deployment, names, key
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=network.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        self.task = self._task(image, tag)
        self.dead = queue(self, "Dead", key, name=f"{names.prefix}-dead-uploads")
        self.machine = self._machine(network)

    def _task(self, image: ecr.IRepository, tag: str) -> ecs.FargateTaskDefinition:
        task = ecs.FargateTaskDefinition(
            self, "Task", cpu=CPU, memory_limit_mib=MEMORY_MIB, ephemeral_storage_gib=DISK_GIB
        )
        log = log_group(self, "TaskLog", self._deployment)
        self._container = task.add_container(
            "run",
            image=ecs.ContainerImage.from_ecr_repository(image, tag),
            logging=ecs.LogDrivers.aws_logs(stream_prefix="run", log_group=log),
        )
        use_key(task.task_role, self._key)
        accept(
            task.obtain_execution_role(),
            _EVERYTHING,
            "ECR's GetAuthorizationToken supports no resource-level permissions.",
        )
        return task

    def _machine(self, network: Network) -> sfn.StateMachine:
        path = sfn.JsonPath
        upload = path.format(
            "s3://{}/{}", path.string_at("$.detail.bucket.name"), path.string_at("$.detail.object.key")
        )
        bucket = self._names.uploads
        command = path.array(
            *("uploads", "publish", upload, "--stream", self._names.readings),
            *("--receipts", f"s3://{bucket}/{RECEIPTS}", "--inbox", f"s3://{bucket}/{INBOX}"),
            *("--maps", f"s3://{bucket}/{MAPS}"),
        )
        run = tasks.EcsRunTask(
            self,
            "Publish",
            integration_pattern=sfn.IntegrationPattern.RUN_JOB,
            cluster=self.cluster,
            task_definition=self.task,
            launch_target=tasks.EcsFargateLaunchTarget(platform_version=ecs.FargatePlatformVersion.LATEST),
            security_groups=[network.group],
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            assign_public_ip=False,
            container_overrides=[
                tasks.ContainerOverride(
                    container_definition=self._container,
                    command=path.list_at("$.command"),
                )
            ],
            task_timeout=sfn.Timeout.duration(LIMIT),
            result_path="$.task",
        )
        run.add_retry(errors=["ECS.AmazonECSException", "ECS.ServerException"], max_attempts=3, backoff_rate=2)
        failed = sfn.Fail(self, "Publishing failed", cause_path="$.error.Cause", error_path="$.error.Error")
        run.add_catch(failed, result_path="$.error")
        prepare = sfn.Pass(
            self,
            "Name the file",
            parameters={"file": upload, "command": command},
        )
        # With this prefix the log group needs no entry in the size-limited resource policy of CloudWatch Logs.
        log = log_group(self, "MachineLog", self._deployment, f"/aws/vendedlogs/states/{self._names.prefix}-uploads")
        return sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=machine_name(self._names),
            definition_body=sfn.DefinitionBody.from_chainable(prepare.next(run).next(sfn.Succeed(self, "Done"))),
            timeout=LIMIT,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=log, level=sfn.LogLevel.ALL),
        )

    def start_at(self, uploads: str) -> None:
        """Start the state machine for each object created under inbox/."""
        pattern = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [uploads]}, "object": {"key": [{"prefix": INBOX}]}},
        )
        rule = events.Rule(self, "Uploaded", event_pattern=pattern)
        rule.add_target(targets.SfnStateMachine(self.machine, dead_letter_queue=self.dead))

    def grant(self, readings: kinesis.IStream) -> None:
        """Grant reading uploads, writing receipts, and publishing readings."""
        role = self.task.task_role
        read_objects(role, self._names.uploads, INBOX, RECEIPTS, MAPS)
        write_objects(role, self._names.uploads, RECEIPTS)
        allow(role, ["kinesis:PutRecords"], readings.stream_arn)
        accept(self.machine.role, _EVERYTHING, "Log delivery and X-Ray support no resource-level permissions.")
