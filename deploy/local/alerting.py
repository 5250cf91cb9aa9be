"""Alerting at a local endpoint: the deployed functions, and queues that receive notifications."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from deploy.kit.names import ROUTES
from deploy.local.stacks import Stacks
from deploy.release.drill import queue_policy
from flink_job.io.kinesis import client

FUNCTIONS = {"notifier": "Notifier", "sweeper": "Sweeper", "alerts-api": "AlertsApi", "queries-api": "QueriesApi"}


@dataclass(frozen=True)
class LocalAlerting:
    """Queues, topics and functions: `inbox` is subscribed to the FIFO topic as deployed.

    Only at the local endpoint: `subscriber` is subscribed to the people's topic, and `queue` is a recipient itself.
    """

    inbox: str
    subscriber: str
    queue: str
    topic: str
    fifo_topic: str
    functions: dict[str, str]


def create_alerting(stacks: Stacks, routes: dict[str, Any] | None = None) -> LocalAlerting:
    """Upload routes, which may contain `{inbox}`, `{topic}` and so on, and subscribe a queue to the topic."""
    names, endpoint, outputs = stacks.names, stacks.endpoint, stacks.outputs
    sns, sqs = client("sns", endpoint), client("sqs", endpoint)
    urls = {name: sqs.create_queue(QueueName=f"{names.prefix}-{name}")["QueueUrl"] for name in ("subscriber", "queue")}
    arn = sqs.get_queue_attributes(QueueUrl=urls["subscriber"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps(queue_policy(arn, outputs["Topic"]))
    sqs.set_queue_attributes(QueueUrl=urls["subscriber"], Attributes={"Policy": policy})
    sns.subscribe(TopicArn=outputs["Topic"], Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    places = {
        **urls,
        "inbox": sqs.get_queue_url(QueueName=f"{names.prefix}-inbox.fifo")["QueueUrl"],
        "topic": outputs["Topic"],
        "fifo_topic": outputs["FifoTopic"],
    }
    document = json.dumps(routes or default_routes())
    for name, place in places.items():
        document = document.replace(f"{{{name}}}", place)
    client("s3", endpoint).put_object(Bucket=names.registry, Key=ROUTES, Body=document.encode())
    return LocalAlerting(**places, functions={name: outputs[output] for name, output in FUNCTIONS.items()})


def default_routes() -> dict[str, Any]:
    """Routes that notify one recipient of every alert through the FIFO topic."""
    return {
        "link": "http://127.0.0.1/alerts/",
        "recipients": {"maintenance": {"sns": "{fifo_topic}", "tokens": 50, "refill_s": 1, "group_s": 5}},
        "routes": [{"site": "*", "to": ["maintenance"]}],
    }


def environment(endpoint: str, function_arn: str) -> dict[str, str]:
    """Environment variables of a deployed function."""
    found = client("lambda", endpoint).get_function_configuration(FunctionName=function_arn)
    return dict(found["Environment"]["Variables"])


def change_environment(endpoint: str, function_arn: str, **variables: str) -> None:
    """Add environment variables to a deployed function."""
    found = {**environment(endpoint, function_arn), **variables}
    client("lambda", endpoint).update_function_configuration(
        FunctionName=function_arn, Environment={"Variables": found}
    )


class FunctionError(RuntimeError):
    """A function failed; the message is its response."""


def invoke(endpoint: str, function_arn: str, event: dict[str, Any]) -> Any:
    """Invoke a function and return its response. Raises FunctionError."""
    answer = client("lambda", endpoint).invoke(FunctionName=function_arn, Payload=json.dumps(event).encode())
    content = answer["Payload"].read()
    if "FunctionError" in answer:
        raise FunctionError(content.decode())
    return json.loads(content)


def sweep(endpoint: str, alerting: LocalAlerting) -> None:
    """Invoke the sweeper."""
    invoke(endpoint, alerting.functions["sweeper"], {})


def received(endpoint: str, queue: str) -> list[dict[str, Any]]:
    """Receive and delete all messages of a queue."""
    sqs = client("sqs", endpoint)
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"]).get(
        "Messages", ()
    ):
        for message in messages:
            found.append({**json.loads(message["Body"]), "sent_ms": int(message["Attributes"]["SentTimestamp"])})
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found
