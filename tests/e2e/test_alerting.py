"""From the alerts stream to messages at the emulated endpoint: sent once and in order, also after failures."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.alerting import received
from deploy.local.endpoint import endpoint, free_port
from flink_job.io.kinesis import client
from tests.harness.alerting import alert, notified, proxy
from tests.harness.alerting_deployment import LEASE_MS, UNLIMITED, AlertingDeployment, wait_for


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


def test_from_the_stream_through_the_function_to_the_queue(url: str) -> None:
    deployment = AlertingDeployment(url, "whole", UNLIMITED, trigger=True)
    rows = [alert("a"), alert("a", 1, "escalated", severity="critical"), alert("a", 2, "cleared")]
    for row in rows:
        client("kinesis", url).put_record(
            StreamName=deployment.names.alerts, Data=json.dumps(row).encode(), PartitionKey=row["entity"]
        )
    messages = wait_for(deployment.inbox, 1)
    while more := wait_for(deployment.inbox, 1) if len(notified(messages)) < 3 else []:
        messages += more
    assert notified(messages) == [("a", 0, "raised"), ("a", 1, "escalated"), ("a", 2, "cleared")]
    text = messages[0]["text"]
    for part in ("Bearing too hot", "zaragoza/casting/line-1/m-1", "2026-03-28 10:00 UTC", "85.5 degC, limit 80 degC"):
        assert part in text
    assert "Cost so far: 12.50 EUR" in text
    assert "https://alerts.example/a" in text


def test_subscribers_of_a_standard_topic_are_notified(url: str) -> None:
    deployment = AlertingDeployment(url, "standard", {**UNLIMITED, "sns": "{topic}"})
    deployment.notify(alert("s"))
    assert notified(wait_for(lambda: received(url, deployment.made.subscriber), 1)) == [("s", 0, "raised")]


def test_a_queue_that_is_not_in_the_settings_is_denied(url: str) -> None:
    """The endpoint enforces the roles of the templates in functions too."""
    queue = client("sqs", url).create_queue(QueueName="elsewhere")["QueueUrl"]
    deployment = AlertingDeployment(url, "denied", {**UNLIMITED, "sqs": queue} | {"sns": ""})
    deployment.notify(alert("d"))
    time.sleep(2 * LEASE_MS / 1000)
    deployment.sweep()
    assert received(url, queue) == []
    waiting = client("dynamodb", url).query(
        TableName=deployment.environment["TABLE"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "M#crew"}},
    )["Items"]
    assert len(waiting) == 1, "the message is stored until it can be sent"


def test_a_short_alert_is_notified_with_its_end(url: str) -> None:
    """Raised and cleared in one batch of the stream: both are notified."""
    deployment = AlertingDeployment(url, "blip", UNLIMITED)
    deployment.notify(alert("o"), alert("o", 1, "cleared"))
    assert notified(deployment.inbox()) == [("o", 0, "raised"), ("o", 1, "cleared")]


def test_an_end_recorded_before_the_raise_is_sent_after_it(url: str) -> None:
    """A record that the stream rejected at first arrives after later ones: the alert has ended all the same."""
    deployment = AlertingDeployment(url, "overtaken", UNLIMITED)
    deployment.notify(alert("late", 1, "cleared"))
    assert deployment.inbox() == []
    deployment.notify(alert("late"), alert("late", 1, "cleared"))
    messages = wait_for(lambda: deployment.sweep() or deployment.inbox(), 2)
    assert notified(messages) == [("late", 0, "raised"), ("late", 1, "cleared")]
    state = client("dynamodb", url).get_item(
        TableName=deployment.environment["TABLE"], Key={"pk": {"S": "A#late"}, "sk": {"S": "STATE"}}
    )["Item"]
    assert state["status"]["S"] == "ended"


def test_recipients_of_the_highest_severity_are_notified_of_the_end(url: str) -> None:
    """A route for critical alerts: the alert is raised as critical, eases to minor and clears as minor."""
    deployment = AlertingDeployment(url, "eased", UNLIMITED, min_severity="critical")
    deployment.notify(alert("e", severity="critical"))
    deployment.notify(alert("e", 1, "eased", severity="minor"), alert("e", 2, "cleared", severity="minor"))
    deployment.notify(alert("never", severity="minor"), alert("never", 1, "cleared", severity="minor"))
    assert notified(deployment.inbox()) == [("e", 0, "raised"), ("e", 1, "eased"), ("e", 2, "cleared")]


def test_a_queue_is_a_recipient_without_a_topic(url: str) -> None:
    deployment = AlertingDeployment(url, "queue", {**UNLIMITED, "sns": "", "sqs": "{queue}"})
    deployment.notify(alert("d"))
    assert notified(wait_for(lambda: received(url, deployment.made.queue), 1)) == [("d", 0, "raised")]


def test_duplicate_records_are_notified_once(url: str) -> None:
    deployment = AlertingDeployment(url, "repeats", UNLIMITED)
    for _ in range(3):
        deployment.notify(alert("r"), alert("r"))
    deployment.sweep()
    assert notified(deployment.inbox()) == [("r", 0, "raised")]


def test_killed_between_sending_and_deleting_the_message_twenty_times(url: str) -> None:
    """Killed right after the topic accepted the message. Half of the retries are the batch, half are the sweeper."""
    deployment = AlertingDeployment(url, "killed", UNLIMITED)
    dies = (
        "import os, signal\nfrom deploy.alerting.runtime.channels import Channels\nsend = Channels.send\n"
        "def killed(*a):\n    send(*a)\n    os.kill(os.getpid(), signal.SIGKILL)\nChannels.send = killed"
    )
    rows = [alert(f"k{n}", entity=f"m-{n}", site_path=f"zaragoza/p/line-{n}/m-{n}") for n in range(20)]
    for number, row in enumerate(rows):
        assert deployment.notify(row, before=dies) == -9
        time.sleep(0.25)
        deployment.notify(row) if number % 2 else deployment.sweep()
    time.sleep(0.3)
    deployment.sweep()
    counts = Counter(notified(deployment.inbox()))
    assert counts == {(f"k{n}", 0, "raised"): 1 for n in range(20)}


def test_killed_before_sending_nothing_is_lost(url: str) -> None:
    deployment = AlertingDeployment(url, "before", UNLIMITED)
    dies = (
        "import os, signal\nfrom deploy.alerting.runtime.channels import Channels\n"
        "Channels.send = lambda *a: os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert deployment.notify(alert("b"), before=dies) == -9
    time.sleep(0.3)
    deployment.sweep()
    assert notified(deployment.inbox()) == [("b", 0, "raised")]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "accepted but answered 503"])
def test_a_topic_that_fails_for_a_while(url: str, lost: bool) -> None:
    """Every change is notified once after the outage, each raise before its clear."""
    deployment = AlertingDeployment(url, f"outage{int(lost)}", UNLIMITED)
    with proxy(url) as broken:
        through = {"AWS_ENDPOINT_URL_SNS": broken.url}
        broken.broken, broken.lost = True, lost
        deployment.notify(alert("x"), alert("y", entity="m-2"), **through)
        deployment.notify(alert("x", 1, "cleared"), **through)
        time.sleep(0.3)
        deployment.sweep(**through)
        assert broken.seen
        broken.broken = False
        # Later, because the circuit breaker is open for a minute after three failures.
        for later_s in (70, 71, 72):
            deployment.sweep(later_s, **through)
    messages = notified(deployment.inbox())
    assert Counter(messages) == {("x", 0, "raised"): 1, ("y", 0, "raised"): 1, ("x", 1, "cleared"): 1}
    assert messages.index(("x", 0, "raised")) < messages.index(("x", 1, "cleared"))


def test_an_invalid_record_does_not_block_the_others(url: str) -> None:
    deployment = AlertingDeployment(url, "poison", UNLIMITED)
    deployment.notify({"entity": "m", "what": "is this"}, alert("p"))
    assert notified(deployment.inbox()) == [("p", 0, "raised")]


def test_a_webhook_is_signed_and_retried_with_the_same_id(url: str, tmp_path: Path) -> None:
    import hashlib
    import hmac
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    posts: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(posts) == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        secret = client("secretsmanager", url).create_secret(Name="hook-hook", SecretString="s3cret")["ARN"]
        hook = {"webhook": f"http://127.0.0.1:{server.server_port}/", "secret": secret, "group_s": 0}
        deployment = AlertingDeployment(url, "hook", hook)
        deployment.notify(alert("w"))
        time.sleep(0.3)
        deployment.sweep()
        server.shutdown()
    assert len(posts) == 2
    assert posts[0][0]["Idempotency-Key"] == posts[1][0]["Idempotency-Key"]
    headers, content = posts[1]
    at, signature = (part.split("=")[1] for part in headers["X-Signature"].split(","))
    assert signature == hmac.new(b"s3cret", f"{at}.".encode() + content, hashlib.sha256).hexdigest()
