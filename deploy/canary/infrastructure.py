"""The canary's function and its schedule."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from deploy.canary.runtime.canary import COSTS
from deploy.canary.runtime.probe import TARIFF_KEY
from deploy.kit.bundling import CANARY
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import allow, write_objects
from deploy.lake.asking import let_ask

#: Athena's answer is waited for (LIMIT_S of the function), the rest takes seconds.
TIMEOUT_S = 90


class Canary(Construct):
    """A function that publishes a reading of a synthetic meter and reports the age of the newest that was costed."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, workgroup: str) -> None:
        super().__init__(scope, id)
        names = deployment.names
        variables = {
            "READINGS": names.readings,
            "CONTRACTS": names.contracts,
            "REGISTRY": names.registry,
            "WORKGROUP": workgroup,
            "DATABASE": names.database,
            "DEPLOYMENT": names.prefix,
        }
        self._function = Function(self, "canary", deployment, CANARY, "canary.handler", variables, TIMEOUT_S)
        let_ask(self._function.role, names, workgroup, COSTS)
        write_objects(self._function.role, names.registry, TARIFF_KEY)

    def sing(self, *streams: kinesis.IStream) -> None:
        """Let the function publish into streams, at the beginning of every quarter of an hour.

        An event that cannot be delivered needs no queue: the metric that is missing then is the alarm.
        """
        allow(self._function.role, ["kinesis:PutRecord"], *(stream.stream_arn for stream in streams))
        rule = events.Rule(self, "Quarter", schedule=events.Schedule.cron(minute="0/15"))
        rule.add_target(targets.LambdaFunction(self._function.function))
