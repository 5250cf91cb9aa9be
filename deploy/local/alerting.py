"""Alerting at a local endpoint: the functions as they are deployed, their triggers, topics and queues."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.alerting.runtime.items import definition
from deploy.local.resources import REGION, ROLE, Names
from flink_job.publish import client

RUNTIME = Path(__file__).resolve().parent.parent / "alerting" / "runtime"
PACKAGE = "alerting"
FUNCTIONS = {"notifier": "notifier.handler", "sweeper": "sweeper.handler", "alerts-api": "api.handler"}
LEASE_MS = 5_000
STARTED_S = 30


@dataclass(frozen=True)
class Alerting:
    """What was made. `inbox` is the queue behind the FIFO topic, `subscriber` the one behind the standard topic."""

    table: str
    inbox: str
    subscriber: str
    queue: str
    topic: str
    fifo_topic: str
    functions: dict[str, str]


def create_alerting(
    names: Names, endpoint: str, routes: dict[str, Any] | None = None, trigger: bool = True, lease_ms: int = LEASE_MS
) -> Alerting:
    """Create table, topics, queues, functions and triggers. `routes` may name `{inbox}`, `{topic}` and so on."""
    dynamodb, sns, sqs = client("dynamodb", endpoint), client("sns", endpoint), client("sqs", endpoint)
    table = f"{names.prefix}-alert-state"
    dynamodb.create_table(**definition(table))
    fifo = {"FifoTopic": "true"}
    topic = sns.create_topic(Name=f"{names.prefix}-people")["TopicArn"]
    fifo_topic = sns.create_topic(Name=f"{names.prefix}-people.fifo", Attributes=fifo)["TopicArn"]
    queues = {
        "inbox": sqs.create_queue(QueueName=f"{names.prefix}-inbox.fifo", Attributes={"FifoQueue": "true"}),
        "subscriber": sqs.create_queue(QueueName=f"{names.prefix}-subscriber"),
        "queue": sqs.create_queue(QueueName=f"{names.prefix}-queue"),
    }
    urls = {name: answer["QueueUrl"] for name, answer in queues.items()}
    for to, name in ((fifo_topic, "inbox"), (topic, "subscriber")):
        arn = sqs.get_queue_attributes(QueueUrl=urls[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=to, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    places = {**urls, "topic": topic, "fifo_topic": fifo_topic}
    document = json.dumps(routes or default_routes(names))
    for name, place in places.items():
        document = document.replace(f"{{{name}}}", place)
    client("s3", endpoint).put_object(Bucket=names.lake, Key="rules/routes.json", Body=document.encode())
    functions = create_functions(names, endpoint, environment(names, endpoint, table, lease_ms))
    if trigger:
        client("lambda", endpoint).create_event_source_mapping(
            EventSourceArn=f"arn:aws:kinesis:{REGION}:000000000000:stream/{names.alerts}",
            FunctionName=functions["notifier"],
            StartingPosition="TRIM_HORIZON",
            BatchSize=100,
            BisectBatchOnFunctionError=True,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        events = client("events", endpoint)
        events.put_rule(Name=f"{names.prefix}-sweep", ScheduleExpression="rate(1 minute)", State="ENABLED")
        events.put_targets(Rule=f"{names.prefix}-sweep", Targets=[{"Id": "sweeper", "Arn": functions["sweeper"]}])
    return Alerting(table, topic=topic, fifo_topic=fifo_topic, functions=functions, **urls)


def default_routes(names: Names) -> dict[str, Any]:
    """One recipient, told of everything through the FIFO topic."""
    return {
        "link": "http://127.0.0.1/alerts/",
        "recipients": {"maintenance": {"sns": "{fifo_topic}", "tokens": 50, "refill_s": 1, "group_s": 5}},
        "routes": [{"site": "*", "to": ["maintenance"]}],
    }


def environment(names: Names, endpoint: str, table: str, lease_ms: int = LEASE_MS) -> dict[str, str]:
    """Environment of the functions."""
    return {
        "TABLE": table,
        "ROUTES_URI": f"s3://{names.lake}/rules/routes.json",
        "ACTIONS_STREAM": names.delivery("alert_actions"),
        "LEASE_MS": str(lease_ms),
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    }


def create_functions(names: Names, endpoint: str, variables: dict[str, str]) -> dict[str, str]:
    """The functions of deploy/alerting/runtime, by name; returns their ARNs."""
    functions, package = client("lambda", endpoint), package_runtime()
    arns = {}
    for name, entry in FUNCTIONS.items():
        made = functions.create_function(
            FunctionName=f"{names.prefix}-{name}",
            Runtime="python3.11",
            Role=ROLE,
            Handler=f"{PACKAGE}.{entry}",
            Code={"ZipFile": package},
            Timeout=60,
            MemorySize=256,
            Environment={"Variables": variables},
        )
        arns[name] = made["FunctionArn"]
    deadline = time.monotonic() + STARTED_S
    while any(
        functions.get_function_configuration(FunctionName=arn).get("State", "Active") != "Active"
        for arn in arns.values()
    ):
        if time.monotonic() > deadline:
            raise TimeoutError("the functions did not become active")
        time.sleep(0.1)
    return arns


def package_runtime() -> bytes:
    """The functions' code as a zip: package `alerting`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(RUNTIME.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"{PACKAGE}/{path.name}", (1980, 1, 1, 0, 0, 0)), path.read_bytes())
    return content.getvalue()


class FunctionError(RuntimeError):
    """A function that failed; the message is its answer."""


def invoke(endpoint: str, function_arn: str, event: dict[str, Any]) -> Any:
    """Call a function and return its answer. Raises FunctionError."""
    answer = client("lambda", endpoint).invoke(FunctionName=function_arn, Payload=json.dumps(event).encode())
    content = answer["Payload"].read()
    if "FunctionError" in answer:
        raise FunctionError(content.decode())
    return json.loads(content)


def sweep(endpoint: str, alerting: Alerting) -> None:
    """Let the sweeper run now."""
    invoke(endpoint, alerting.functions["sweeper"], {})


def received(endpoint: str, queue: str) -> list[dict[str, Any]]:
    """Messages of a queue, taken out of it."""
    sqs = client("sqs", endpoint)
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"]).get(
        "Messages", ()
    ):
        for message in messages:
            found.append({**json.loads(message["Body"]), "sent_ms": int(message["Attributes"]["SentTimestamp"])})
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found
