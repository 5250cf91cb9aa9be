"""Settlement on a schedule: EventBridge Scheduler starts a state machine every night, which runs `settle --news`.

The container is that of uploaded files (deploy/batch). The command alone decides what is settled, and what is left for
the next night (flink_job/billing/news.py), so a run that fails or is skipped loses nothing.
"""

from __future__ import annotations

from aws_cdk import ArnFormat, Duration, Stack, TimeZone
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from deploy.ingest.network import Network
from deploy.kit.container import TaskSize, container_task, run_task, state_machine
from deploy.kit.deployment import Deployment
from deploy.kit.grants import read_objects, use_key_by_alias, write_objects
from deploy.kit.names import CONTRACTS, TARIFFS, Names
from flink_job.billing.settling import READ, WRITTEN

#: A night's news take minutes, the first run of a large lake hours.
SIZE = TaskSize(cpu=4096, memory_mib=16_384, disk_gib=100, limit=Duration.hours(12))
#: Tries after a run that failed, and the pause before the first, which doubles.
RETRIES, PAUSE = 2, Duration.minutes(10)


def machine_name(names: Names) -> str:
    """Name of the state machine; alarms refer to it."""
    return f"{names.prefix}-settlement"


def command(names: Names, source: Names) -> list[str]:
    """Arguments of the container; `source`: names of the environment whose contracts and tariffs are used."""
    return [
        *("settle", f"s3://{names.lake}", "--news", "--allow-partial"),
        *("--contracts", f"s3://{source.registry}/{CONTRACTS}"),
        *("--tariffs", f"s3://{source.registry}/{TARIFFS.rstrip('/')}"),
        *("--metrics", names.prefix),
    ]


class Settlement(Construct):
    """Schedule, Step Functions state machine and Fargate task."""

    def __init__(
        self, scope: Construct, id: str, deployment: Deployment, network: Network, image: ecr.IRepository, tag: str
    ) -> None:
        super().__init__(scope, id)
        self._deployment, self._names = deployment, deployment.names
        environment = deployment.environment
        self._source = self._names.of(environment.source_prefix)
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=network.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        self.task = container_task(self, deployment, image, tag, SIZE, command(self._names, self._source))
        self.machine = self._machine(network)

    def _machine(self, network: Network) -> sfn.StateMachine:
        running = tasks.CallAwsService(
            self,
            "List runs",
            service="sfn",
            action="listExecutions",
            parameters={"StateMachineArn": self._arn(), "StatusFilter": "RUNNING"},
            iam_resources=[self._arn()],
            iam_action="states:ListExecutions",
            result_path="$.running",
        )
        settle = self._settle(network)
        is_other = sfn.Condition.is_present("$.running.Executions[1]")
        skipped = sfn.Succeed(self, "Skip: another run has not ended")
        choice = sfn.Choice(self, "Is another run going on?").when(is_other, skipped).otherwise(settle)
        settle.next(sfn.Succeed(self, "Done"))
        return state_machine(self, self._deployment, machine_name(self._names), running.next(choice), SIZE)

    def _settle(self, network: Network) -> tasks.EcsRunTask:
        run = run_task(self, "Settle", self.cluster, self.task, network.group, SIZE)
        run.add_retry(
            errors=["ECS.AmazonECSException", "ECS.ServerException", "States.TaskFailed"],
            max_attempts=RETRIES,
            interval=PAUSE,
            backoff_rate=2,
        )
        failed = sfn.Fail(self, "Settlement failed", cause_path="$.error.Cause", error_path="$.error.Error")
        run.add_catch(failed, result_path="$.error")
        return run

    def _arn(self) -> str:
        return Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=machine_name(self._names),
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def schedule(self) -> None:
        """Start the state machine every night, at the hour of the settings.

        An event that is not delivered needs no dead-letter queue: the missing metric raises the alarm.
        """
        environment = self._deployment.environment
        scheduler.Schedule(
            self,
            "Nightly",
            schedule=scheduler.ScheduleExpression.cron(
                minute="0", hour=str(environment.settlement_hour), time_zone=TimeZone.of(environment.settlement_zone)
            ),
            target=targets.StepFunctionsStartExecution(self.machine),
            description="Settles the billing cycles with news",
        )

    def grant(self) -> None:
        """Grant reading the lake, contracts and tariffs, and writing the tables of settlement."""
        role = self.task.task_role
        read_objects(role, self._names.lake, *(f"{table}/" for table in sorted(READ)))
        write_objects(role, self._names.lake, *(f"{table}/" for table in WRITTEN))
        read_objects(role, self._source.registry, TARIFFS, CONTRACTS)
        if self._source != self._names:
            use_key_by_alias(role, self._source.prefix)
