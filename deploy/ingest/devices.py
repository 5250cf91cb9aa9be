"""Devices on AWS IoT Core: thing type, policy, and the rule that forwards MQTT messages to the readings stream."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, service, use_key
from deploy.kit.names import Names
from deploy.kit.queues import queue

THING = "${iot:Connection.Thing.ThingName}"
#: Topics are <prefix>/readings/<thing> and <prefix>/commands/<thing>.
SQL_VERSION = "2016-03-23"


def rule_sql(prefix: str) -> str:
    """SQL that wraps each message in an envelope (docs/use/tenants.md).

    A message may be invalid JSON, and then only functions can be selected. The marker is therefore a function too, and
    the SQL refers to no field of the message.
    """
    return (
        "SELECT topic(2) AS metering_envelope, encode(*, 'base64') AS payload, topic(3) AS thing, "
        f"principal() AS principal FROM '{prefix}/readings/+'"
    )


class Devices(Construct):
    """Thing type, policy for device certificates, and topic rule with an error action."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        readings: kinesis.IStream,
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        iot.CfnThingType(
            self,
            "ThingType",
            thing_type_name=f"{names.prefix}-meter",
            thing_type_properties={
                "thingTypeDescription": "Electricity meter or gateway",
                "searchableAttributes": ["site", "line"],
            },
        )
        iot.CfnPolicy(self, "Policy", policy_name=f"{names.prefix}-device", policy_document=self._policy(names))
        self.failed = queue(self, "Failed", key, name=f"{names.prefix}-dead-messages")
        self._rule(names, key, readings)

    def _policy(self, names: Names) -> dict[str, object]:
        """Policy: a device connects as its own thing, and publishes and subscribes to its own topics only."""
        stack = Stack.of(self)

        def own(direction: str) -> str:
            return f"{names.prefix}/{direction}/{THING}"

        def arn(kind: str, name: str) -> str:
            return stack.format_arn(service="iot", resource=kind, resource_name=name)

        attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client", THING), "Condition": attached},
                {"Effect": "Allow", "Action": "iot:Publish", "Resource": arn("topic", own("readings"))},
                {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter", own("commands"))},
                {"Effect": "Allow", "Action": "iot:Receive", "Resource": arn("topic", own("commands"))},
            ],
        }

    def _rule(self, names: Names, key: kms.IKey, readings: kinesis.IStream) -> None:
        role = iam.Role(self, "RuleRole", assumed_by=service("iot.amazonaws.com", self))
        allow(role, ["kinesis:PutRecord"], readings.stream_arn)
        allow(role, ["sqs:SendMessage"], self.failed.queue_arn)
        use_key(role, key)
        iot.CfnTopicRule(
            self,
            "Rule",
            rule_name=f"{names.database}_readings",
            topic_rule_payload={
                "description": "Forwards readings of devices to the stream; failed messages go to a queue",
                "awsIotSqlVersion": SQL_VERSION,
                "sql": rule_sql(names.prefix),
                "ruleDisabled": False,
                "actions": [
                    {
                        "kinesis": {
                            "roleArn": role.role_arn,
                            "streamName": readings.stream_name,
                            # Readings of a device go to one shard, in order.
                            "partitionKey": "${topic(3)}",
                        }
                    }
                ],
                "errorAction": {
                    "sqs": {"queueUrl": self.failed.queue_url, "roleArn": role.role_arn, "useBase64": True}
                },
            },
        )
