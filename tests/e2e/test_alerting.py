"""From the alerts stream to people at the emulated endpoint: told once, in order, whatever dies or answers 5xx."""

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
from tests.harness.alerting import alert, proxy, told
from tests.harness.alerting_deployment import LEASE_MS, OPEN_HANDED, Place, wait_for


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


def test_from_the_stream_through_the_function_to_the_queue(url: str) -> None:
    place = Place(url, "whole", OPEN_HANDED, trigger=True)
    rows = [alert("a"), alert("a", 1, "escalated", severity="critical"), alert("a", 2, "cleared")]
    for row in rows:
        client("kinesis", url).put_record(
            StreamName=place.names.alerts, Data=json.dumps(row).encode(), PartitionKey=row["entity"]
        )
    messages = wait_for(place.inbox, 1)
    while more := wait_for(place.inbox, 1) if len(told(messages)) < 3 else []:
        messages += more
    assert told(messages) == [("a", 0, "raised"), ("a", 1, "escalated"), ("a", 2, "cleared")]
    text = messages[0]["text"]
    for part in ("Bearing too hot", "zaragoza/casting/line-1/m-1", "2026-03-28 10:00 UTC", "85.5 degC, limit 80 degC"):
        assert part in text
    assert "Cost so far: 12.50 EUR" in text
    assert "https://alerts.example/a" in text


def test_subscribers_of_a_standard_topic_are_told_too(url: str) -> None:
    place = Place(url, "standard", {**OPEN_HANDED, "sns": "{topic}"})
    place.notify(alert("s"))
    assert told(wait_for(lambda: received(url, place.made.subscriber), 1)) == [("s", 0, "raised")]


def test_a_queue_that_the_settings_do_not_name_is_not_reached(url: str) -> None:
    """The endpoint enforces the roles of the templates, inside functions too."""
    queue = client("sqs", url).create_queue(QueueName="elsewhere")["QueueUrl"]
    place = Place(url, "denied", {**OPEN_HANDED, "sqs": queue} | {"sns": ""})
    place.notify(alert("d"))
    time.sleep(2 * LEASE_MS / 1000)
    place.sweep()
    assert received(url, queue) == []
    waiting = client("dynamodb", url).query(
        TableName=place.environment["TABLE"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "M#crew"}},
    )["Items"]
    assert len(waiting) == 1, "the message is kept until it can be sent"


def test_what_is_over_at_once_is_told_with_its_end(url: str) -> None:
    """Raised and cleared in one batch of the stream: every episode is told, and every raise has its clear."""
    place = Place(url, "blip", OPEN_HANDED)
    place.notify(alert("o"), alert("o", 1, "cleared"))
    assert told(place.inbox()) == [("o", 0, "raised"), ("o", 1, "cleared")]


def test_an_end_before_its_beginning_is_told_after_it(url: str) -> None:
    """A record that the stream refused at first comes after later ones: the alert is over all the same."""
    place = Place(url, "overtaken", OPEN_HANDED)
    place.notify(alert("late", 1, "cleared"))
    assert place.inbox() == []
    place.notify(alert("late"), alert("late", 1, "cleared"))
    messages = wait_for(lambda: place.sweep() or place.inbox(), 2)
    assert told(messages) == [("late", 0, "raised"), ("late", 1, "cleared")]
    state = client("dynamodb", url).get_item(
        TableName=place.environment["TABLE"], Key={"pk": {"S": "A#late"}, "sk": {"S": "STATE"}}
    )["Item"]
    assert state["status"]["S"] == "ended"


def test_who_was_told_of_the_worst_is_told_of_the_end(url: str) -> None:
    """A route from critical on: the alert is raised as critical, eases to minor and clears as minor."""
    place = Place(url, "eased", OPEN_HANDED, min_severity="critical")
    place.notify(alert("e", severity="critical"))
    place.notify(alert("e", 1, "eased", severity="minor"), alert("e", 2, "cleared", severity="minor"))
    place.notify(alert("never", severity="minor"), alert("never", 1, "cleared", severity="minor"))
    assert told(place.inbox()) == [("e", 0, "raised"), ("e", 1, "eased"), ("e", 2, "cleared")]


def test_a_queue_is_told_without_a_topic(url: str) -> None:
    place = Place(url, "queue", {**OPEN_HANDED, "sns": "", "sqs": "{queue}"})
    place.notify(alert("d"))
    assert told(wait_for(lambda: received(url, place.made.queue), 1)) == [("d", 0, "raised")]


def test_repeated_records_are_told_once(url: str) -> None:
    place = Place(url, "repeats", OPEN_HANDED)
    for _ in range(3):
        place.notify(alert("r"), alert("r"))
    place.sweep()
    assert told(place.inbox()) == [("r", 0, "raised")]


def test_killed_between_sending_and_noting_it_twenty_times(url: str) -> None:
    """Killed right after the topic took the message; half of the time the next try is the batch again, as the stream
    would do it, half of the time it is the sweeper."""
    place = Place(url, "killed", OPEN_HANDED)
    dies = (
        "import os, signal\nfrom deploy.alerting.runtime.channels import Channels\nsend = Channels.send\n"
        "def killed(*a):\n    send(*a)\n    os.kill(os.getpid(), signal.SIGKILL)\nChannels.send = killed"
    )
    rows = [alert(f"k{n}", entity=f"m-{n}", site_path=f"zaragoza/p/line-{n}/m-{n}") for n in range(20)]
    for number, row in enumerate(rows):
        assert place.notify(row, before=dies) == -9
        time.sleep(0.25)
        place.notify(row) if number % 2 else place.sweep()
    time.sleep(0.3)
    place.sweep()
    counts = Counter(told(place.inbox()))
    assert counts == {(f"k{n}", 0, "raised"): 1 for n in range(20)}


def test_killed_before_sending_nothing_is_lost(url: str) -> None:
    place = Place(url, "before", OPEN_HANDED)
    dies = (
        "import os, signal\nfrom deploy.alerting.runtime.channels import Channels\n"
        "Channels.send = lambda *a: os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert place.notify(alert("b"), before=dies) == -9
    time.sleep(0.3)
    place.sweep()
    assert told(place.inbox()) == [("b", 0, "raised")]


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "taken but answered 503"])
def test_a_topic_that_answers_503_for_a_while(url: str, lost: bool) -> None:
    """Every alert is told once when it is over, each raise before its clear."""
    place = Place(url, f"outage{int(lost)}", OPEN_HANDED)
    with proxy(url) as broken:
        through = {"AWS_ENDPOINT_URL_SNS": broken.url}
        broken.broken, broken.lost = True, lost
        place.notify(alert("x"), alert("y", entity="m-2"), **through)
        place.notify(alert("x", 1, "cleared"), **through)
        time.sleep(0.3)
        place.sweep(**through)
        assert broken.seen
        broken.broken = False
        # Later, as the recipient is left alone for a minute after three failures.
        for later_s in (70, 71, 72):
            place.sweep(later_s, **through)
    messages = told(place.inbox())
    assert Counter(messages) == {("x", 0, "raised"): 1, ("y", 0, "raised"): 1, ("x", 1, "cleared"): 1}
    assert messages.index(("x", 0, "raised")) < messages.index(("x", 1, "cleared"))


def test_a_record_that_is_no_change_holds_nothing_up(url: str) -> None:
    place = Place(url, "poison", OPEN_HANDED)
    place.notify({"entity": "m", "what": "is this"}, alert("p"))
    assert told(place.inbox()) == [("p", 0, "raised")]


def test_a_webhook_is_signed_and_knows_its_message_again(url: str, tmp_path: Path) -> None:
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
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        secret = client("secretsmanager", url).create_secret(Name="hook-hook", SecretString="s3cret")["ARN"]
        hook = {"webhook": f"http://127.0.0.1:{server.server_port}/", "secret": secret, "group_s": 0}
        place = Place(url, "hook", hook)
        place.notify(alert("w"))
        time.sleep(0.3)
        place.sweep()
        server.shutdown()
    assert len(posts) == 2
    assert posts[0][0]["Idempotency-Key"] == posts[1][0]["Idempotency-Key"]
    headers, content = posts[1]
    at, signature = (part.split("=")[1] for part in headers["X-Signature"].split(","))
    assert signature == hmac.new(b"s3cret", f"{at}.".encode() + content, hashlib.sha256).hexdigest()
