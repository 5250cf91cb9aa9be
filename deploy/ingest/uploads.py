"""Uploaded files: a Fargate task validates each object of the upload bucket and publishes its readings."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from deploy.ingest.network import Network
from deploy.kit.container import TaskSize, container_task, run_task, state_machine
from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, read_objects, write_objects
from deploy.kit.names import Names
from deploy.kit.queues import queue

INBOX, RECEIPTS, MAPS = "inbox/", "receipts/", "maps/"
SIZE = TaskSize(cpu=2048, memory_mib=8192, disk_gib=50, limit=Duration.hours(6))


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
        names = deployment.names
        self._deployment, self._names = deployment, names
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=network.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        self.task = container_task(self, deployment, image, tag, SIZE)
        self.dead = queue(self, "Dead", deployment.key, name=f"{names.prefix}-dead-uploads")
        self.machine = self._machine(network)

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
        started = path.list_at("$.command")
        run = run_task(self, "Publish", self.cluster, self.task, network.group, SIZE, started)
        run.add_retry(errors=["ECS.AmazonECSException", "ECS.ServerException"], max_attempts=3, backoff_rate=2)
        failed = sfn.Fail(self, "Publishing failed", cause_path="$.error.Cause", error_path="$.error.Error")
        run.add_catch(failed, result_path="$.error")
        prepare = sfn.Pass(
            self,
            "Name the file",
            parameters={"file": upload, "command": command},
        )
        steps = prepare.next(run).next(sfn.Succeed(self, "Done"))
        return state_machine(self, self._deployment, machine_name(self._names), steps, SIZE)

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
