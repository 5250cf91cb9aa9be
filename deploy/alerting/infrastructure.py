"""Telling people: the notifier behind the alerts stream, the sweeper once a minute, topics, queues, the alerts API."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.kit.bundling import ALERTING
from deploy.kit.deployment import Deployment
from deploy.kit.function import Function
from deploy.kit.grants import allow, use_table
from deploy.kit.queues import queue
from deploy.settings import Environment

#: What the functions do with the table; a transaction needs the permissions of its steps.
ANSWERING = ("GetItem", "PutItem", "Query", "UpdateItem")
TELLING = (*ANSWERING, "DeleteItem")
BATCH, RETRIES = 100, 100
_CHOSEN = "The settings say which names recipients, secrets and their keys have (deploy/settings.py)."


class Channels(Construct):
    """Where messages go: a topic for people, a FIFO topic with a queue behind it for programs."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self.people = sns.Topic(self, "People", topic_name=f"{names.prefix}-people", master_key=key, enforce_ssl=True)
        for address in environment.operators:
            self.people.add_subscription(subscriptions.EmailSubscription(address))
        self.programs = sns.Topic(
            self,
            "Programs",
            topic_name=f"{names.prefix}-people.fifo",
            fifo=True,
            content_based_deduplication=False,
            master_key=key,
            enforce_ssl=True,
        )
        dead = queue(self, "InboxDead", key, name=f"{names.prefix}-dead-inbox.fifo")
        self.inbox = queue(self, "Inbox", key, name=f"{names.prefix}-inbox.fifo", dead=dead)
        self.programs.add_subscription(subscriptions.SqsSubscription(self.inbox, raw_message_delivery=True))
        # The check after a deployment reads it; messages that it left are of no use to anybody.
        self.check = queue(self, "Check", key, name=deployment.names.check_queue, keep=Duration.hours(1))


class Alerting(Construct):
    """The functions. Each has a role of its own; what they reach is granted by whoever puts the units together."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        variables: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        self._deployment, self._variables = deployment, variables
        self.notifier = self._function("notifier", "notifier.handler")
        self.sweeper = self._function("sweeper", "sweeper.handler")
        self.api = self._function("alerts-api", "api.handler")
        self.dead_batches = queue(self, "DeadBatches", key, name=f"{names.prefix}-dead-batches")
        self.dead_events = queue(self, "DeadEvents", key, name=f"{names.prefix}-dead-events")

    def _function(self, name: str, handler: str) -> Function:
        return Function(self, name, self._deployment, ALERTING, handler, self._variables)

    def listen(self, alerts: kinesis.IStream) -> None:
        """Let the notifier read the alerts stream. A batch that fails is halved, then tried until it is old."""
        self.notifier.listen(alerts, self.dead_batches, BATCH, RETRIES, answers_by_record=True)

    def sweep(self) -> None:
        """Let the sweeper run once a minute."""
        rule = events.Rule(self, "EveryMinute", schedule=events.Schedule.rate(Duration.minutes(1)))
        rule.add_target(targets.LambdaFunction(self.sweeper.function, dead_letter_queue=self.dead_events))

    def use(self, table: dynamodb.ITable, channels: Channels) -> None:
        """Grant what all three, or two of them, need: state; topics to send to; what routes may name besides."""
        use_table(self.api.role, table, ANSWERING, "by_site")
        for function in (self.notifier, self.sweeper):
            use_table(function.role, table, TELLING, "by_site")
            allow(function.role, ["sns:Publish"], channels.people.topic_arn, channels.programs.topic_arn)
            allow(function.role, ["sqs:SendMessage"], channels.check.queue_arn)
            reach(function.role, self._deployment.environment)


def reach(role: iam.IRole, environment: Environment) -> None:
    """Let a role send to the recipients that an environment allows routes to name, and read their secrets."""
    by_service = {arn: arn.split(":")[2] for arn in environment.recipients}
    actions = {"sns": "sns:Publish", "sqs": "sqs:SendMessage"}
    for arn, service in by_service.items():
        allow(role, [actions[service]], arn, because=_CHOSEN)
    for arn in environment.secrets:
        allow(role, ["secretsmanager:GetSecretValue"], arn, because=_CHOSEN)
    for arn in environment.recipient_keys:
        allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], arn, because=_CHOSEN)
