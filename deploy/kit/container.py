"""The project's container as a Fargate task, and the state machine that runs it."""

from __future__ import annotations

from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.grants import use_key
from deploy.kit.logs import log_group
from deploy.kit.nag import accept

EVERYTHING = "AwsSolutions-IAM5[Resource::*]"


class TaskSize(NamedTuple):
    """Size of a Fargate task, and the time after which a run of it is ended."""

    cpu: int
    memory_mib: int
    disk_gib: int
    limit: Duration


def container_task(
    scope: Construct,
    deployment: Deployment,
    image: ecr.IRepository,
    tag: str,
    size: TaskSize,
    command: list[str] | None = None,
) -> ecs.FargateTaskDefinition:
    """Return a task of the image; `command`: arguments of the container, if every run has the same."""
    task = ecs.FargateTaskDefinition(
        scope, "Task", cpu=size.cpu, memory_limit_mib=size.memory_mib, ephemeral_storage_gib=size.disk_gib
    )
    log = log_group(scope, "TaskLog", deployment)
    task.add_container(
        "run",
        image=ecs.ContainerImage.from_ecr_repository(image, tag),
        command=command,
        logging=ecs.LogDrivers.aws_logs(stream_prefix="run", log_group=log),
    )
    use_key(task.task_role, deployment.key)
    accept(
        task.obtain_execution_role(), EVERYTHING, "ECR's GetAuthorizationToken supports no resource-level permissions."
    )
    return task


def run_task(
    scope: Construct,
    id: str,
    cluster: ecs.Cluster,
    task: ecs.FargateTaskDefinition,
    group: ec2.ISecurityGroup,
    size: TaskSize,
    command: list[str] | None = None,
) -> tasks.EcsRunTask:
    """Return the step that runs a task to its end in the isolated subnets; `command`: arguments of this run alone."""
    container = task.default_container
    assert container is not None
    run = tasks.ContainerOverride(container_definition=container, command=command)
    return tasks.EcsRunTask(
        scope,
        id,
        integration_pattern=sfn.IntegrationPattern.RUN_JOB,
        cluster=cluster,
        task_definition=task,
        launch_target=tasks.EcsFargateLaunchTarget(platform_version=ecs.FargatePlatformVersion.LATEST),
        security_groups=[group],
        subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        assign_public_ip=False,
        task_timeout=sfn.Timeout.duration(size.limit),
        result_path="$.task",
        container_overrides=None if command is None else [run],
    )


def state_machine(
    scope: Construct, deployment: Deployment, name: str, steps: sfn.IChainable, size: TaskSize
) -> sfn.StateMachine:
    """Return a state machine with a log of all its events and tracing."""
    # With this prefix the log group needs no entry in the size-limited resource policy of CloudWatch Logs.
    log = log_group(scope, "MachineLog", deployment, f"/aws/vendedlogs/states/{name}")
    machine = sfn.StateMachine(
        scope,
        "Machine",
        state_machine_name=name,
        definition_body=sfn.DefinitionBody.from_chainable(steps),
        timeout=size.limit,
        tracing_enabled=True,
        logs=sfn.LogOptions(destination=log, level=sfn.LogLevel.ALL),
    )
    accept(machine.role, EVERYTHING, "Log delivery and X-Ray support no resource-level permissions.")
    return machine
