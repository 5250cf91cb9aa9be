"""Alerting: notifier on the alerts stream, sweeper once a minute, alerts API, topics and queues of notifications."""

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

#: DynamoDB actions of the functions; a transaction needs the permissions of its steps.
ACTIONS = ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
BATCH, RETRIES = 100, 100
_IN_SETTINGS = "The settings define the names of recipients, secrets and their keys (deploy/settings.py)."


class NotificationTopics(Construct):
    """A topic for people, a FIFO topic with a subscribed queue for programs, and a queue for the smoke check."""

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
        # Read by the smoke check after a deployment; leftover messages are not needed.
        self.check = queue(self, "Check", key, name=deployment.names.check_queue, retention=Duration.hours(1))


class AlertingFunctions(Construct):
    """The functions, each with a role of its own. The stack that combines the units grants access to other units."""

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

    def consume(self, alerts: kinesis.IStream) -> None:
        """Let the notifier consume the alerts stream. A failed batch is bisected and retried until it expires."""
        self.notifier.listen(alerts, self.dead_batches, BATCH, RETRIES, answers_by_record=True)

    def schedule_sweeper(self) -> None:
        """Invoke the sweeper once a minute."""
        rule = events.Rule(self, "EveryMinute", schedule=events.Schedule.rate(Duration.minutes(1)))
        rule.add_target(targets.LambdaFunction(self.sweeper.function, dead_letter_queue=self.dead_events))

    def grant(self, table: dynamodb.ITable, topics: NotificationTopics) -> None:
        """Grant the alert table to all functions; to notifier and sweeper also the topics and permitted recipients."""
        for function in (self.api, self.notifier, self.sweeper):
            use_table(function.role, table, ACTIONS, "by_site")
        for function in (self.notifier, self.sweeper):
            allow(function.role, ["sns:Publish"], topics.people.topic_arn, topics.programs.topic_arn)
            allow(function.role, ["sqs:SendMessage"], topics.check.queue_arn)
            grant_recipients(function.role, self._deployment.environment)


def grant_recipients(role: iam.IRole, environment: Environment) -> None:
    """Grant sending to the recipients that an environment permits in routes, and reading their secrets."""
    by_service = {arn: arn.split(":")[2] for arn in environment.recipients}
    actions = {"sns": "sns:Publish", "sqs": "sqs:SendMessage"}
    for arn, service in by_service.items():
        allow(role, [actions[service]], arn, because=_IN_SETTINGS)
    for arn in environment.secrets:
        allow(role, ["secretsmanager:GetSecretValue"], arn, because=_IN_SETTINGS)
    for arn in environment.recipient_keys:
        allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], arn, because=_IN_SETTINGS)
