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
from deploy.kit.query_grants import grant_queries

#: The function waits for Athena (its LIMIT_S); everything else takes seconds.
TIMEOUT_S = 90


class Canary(Construct):
    """A function that publishes a reading of a synthetic meter and reports the age of the newest costed one."""

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
        grant_queries(self._function.role, names, workgroup, COSTS)
        write_objects(self._function.role, names.registry, TARIFF_KEY)

    def schedule(self, *streams: kinesis.IStream) -> None:
        """Invoke the function every quarter of an hour and let it publish into streams.

        Undelivered events need no dead-letter queue: the missing metric raises the alarm.
        """
        allow(self._function.role, ["kinesis:PutRecord"], *(stream.stream_arn for stream in streams))
        rule = events.Rule(self, "Quarter", schedule=events.Schedule.cron(minute="0/15"))
        rule.add_target(targets.LambdaFunction(self._function.function))
