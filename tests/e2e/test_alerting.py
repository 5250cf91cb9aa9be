"""From the alerts stream to people at the emulated endpoint: told once, in order, whatever dies or answers 5xx."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.alerting import Alerting, create_alerting, environment, invoke, received
from deploy.local.endpoint import endpoint, free_port
from deploy.local.resources import create
from deploy.names import Names
from flink_job.publish import client
from tests.harness.alerting import alert, kinesis_event, proxy, run_function, told
from tests.harness.jobs import SAMPLES

#: A minute with a message for each line and no limit, so that nothing waits but what the test is about.
OPEN_HANDED = {"sns": "{fifo_topic}", "tokens": 1000, "refill_s": 1, "group_s": 0}
LEASE_MS = 200


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


class Place:
    """One deployment, its functions called by hand unless it is triggered.

    They run at the endpoint; in a process of their own where they shall die, or see another endpoint.
    """

    def __init__(
        self, url: str, prefix: str, recipient: dict[str, Any], trigger: bool = False, min_severity: str = "info"
    ) -> None:
        self.url, self.names = url, Names(prefix)
        triggers = ("notifier", "sweeper") if trigger else ()
        books = SAMPLES / "tariffs", SAMPLES / "rules.yaml"
        stacks = create(self.names, url, *books, shards=1, triggers=triggers, lease_ms=LEASE_MS)
        routes = {
            "link": "https://alerts.example/",
            "recipients": {"crew": recipient},
            "routes": [{"site": "zaragoza/*", "to": ["crew"], "min_severity": min_severity}],
        }
        self.made: Alerting = create_alerting(stacks, routes)
        self.environment = environment(url, self.made.functions["notifier"])

    def notify(self, *rows: dict[str, Any], before: str = "", **changed: str) -> int:
        event = kinesis_event(*rows)
        if before or changed:
            return run_function("notifier", event, {**self.environment, **changed}, before)
        invoke(self.url, self.made.functions["notifier"], event)
        return 0

    def sweep(self, **changed: str) -> None:
        if changed:
            run_function("sweeper", {}, {**self.environment, **changed})
        else:
            invoke(self.url, self.made.functions["sweeper"], {})

    def inbox(self) -> list[dict[str, Any]]:
        return received(self.url, self.made.inbox)


def wait_for(found: Callable[[], list[Any]], count: int) -> list[Any]:
    everything: list[Any] = []
    deadline = time.monotonic() + 30
    while len(everything) < count and time.monotonic() < deadline:
        everything += found()
        time.sleep(0.1)
    return everything


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
        for _ in range(3):
            time.sleep(0.3)
            place.sweep(**through)
    messages = told(place.inbox())
    assert Counter(messages) == {("x", 0, "raised"): 1, ("y", 0, "raised"): 1, ("x", 1, "cleared"): 1}
    assert messages.index(("x", 0, "raised")) < messages.index(("x", 1, "cleared"))


def test_a_flood_is_held_back_and_told_in_a_digest(url: str) -> None:
    place = Place(url, "flood", {**OPEN_HANDED, "tokens": 2, "refill_s": 2})
    rows = [alert(f"f{n}", entity=f"m-{n}", site_path=f"zaragoza/p/line-{n}/m-{n}") for n in range(12)]
    place.notify(*rows)
    time.sleep(2.1)
    place.sweep()
    messages = place.inbox()
    assert [len(message["alerts"]) for message in messages[:2]] == [1, 1]
    assert messages[2]["text"].splitlines() == [
        "10 notices were held back so as not to flood you:",
        "  10 x Bearing too hot (major)",
    ]
    # A clear follows only what was told.
    ended = [{**row, "change_number": 1, "state": "cleared"} for row in rows]
    time.sleep(5)
    place.notify(*ended)
    place.sweep()
    assert [state for _, _, state in told(place.inbox())] == ["cleared", "cleared"]


def test_an_emergency_is_never_held_back(url: str) -> None:
    place = Place(url, "urgent", {**OPEN_HANDED, "tokens": 1, "refill_s": 3600})
    place.notify(alert("u0"), alert("u1", entity="m-2", site_path="zaragoza/p/l2/m-2", severity="emergency"))
    place.notify(alert("u2", entity="m-3", site_path="zaragoza/p/l3/m-3", severity="emergency"))
    assert {"u1", "u2"} <= {alert_id for alert_id, _, _ in told(place.inbox())}


def test_alerts_of_a_line_are_told_together(url: str) -> None:
    place = Place(url, "grouped", {**OPEN_HANDED, "group_s": 1})
    place.notify(alert("g0"))
    place.notify(*(alert(f"g{n}", entity=f"m-{n}") for n in range(1, 5)))
    assert [len(message["alerts"]) for message in place.inbox()] == [1]
    time.sleep(1.1)
    place.sweep()
    [message] = place.inbox()
    assert len(message["alerts"]) == 4
    assert message["subject"].endswith("(+3 more)")


def test_records_and_muted_changes_are_told_to_nobody(url: str) -> None:
    place = Place(url, "quiet", OPEN_HANDED)
    place.notify(alert("h", historical=True), alert("h", 1, "cleared", historical=True), alert("q", muted=True))
    assert place.inbox() == []
    # What was raised again aloud is cleared aloud, also within the next mute.
    place.notify(alert("q", 1), alert("q", 2, "cleared", muted=True))
    assert told(place.inbox()) in ([("q", 1, "raised"), ("q", 2, "cleared")], [])


def test_a_gateway_that_is_offline_inhibits_its_meters(url: str) -> None:
    place = Place(url, "inhibit", OPEN_HANDED)
    gateway = {"rule_id": "gateway", "entity": "gateway=g1", "site_path": "zaragoza", "tags": "gateway=g1"}
    meter = {"inhibited_by": "gateway", "tags": "class=oven;gateway=g1"}
    place.notify(alert("gw", **gateway), alert("m", **meter), alert("other", entity="m-9", inhibited_by="gateway"))
    assert told(place.inbox()) == [("gw", 0, "raised")]
    later = (
        "import time\nfrom deploy.alerting.runtime import context\n"
        "context.now_ms = lambda: int((time.time() + {}) * 1000)"
    )
    # After the wait the other meter is told; the gateway's waits on, and is told when the gateway is back.
    run_function("sweeper", {}, place.environment, later.format(11))
    assert told(place.inbox()) == [("other", 0, "raised")]
    place.notify(alert("gw", 1, "cleared", **gateway))
    run_function("sweeper", {}, place.environment, later.format(80))
    assert set(told(place.inbox())) == {("gw", 1, "cleared"), ("m", 0, "raised")}


def test_what_nobody_acknowledges_is_told_again(url: str) -> None:
    place = Place(url, "again", {**OPEN_HANDED, "repeat_s": 1})
    place.notify(alert("n"))
    assert told(place.inbox()) == [("n", 0, "raised")]
    time.sleep(1.1)
    place.sweep()
    assert told(place.inbox()) == [("n", 0, "raised")]


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
        secret = client("secretsmanager", url).create_secret(Name="hook", SecretString="s3cret")["ARN"]
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
