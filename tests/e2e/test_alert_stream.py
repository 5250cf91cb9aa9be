"""Alerts of the running job up to the notification: latency, no data, rules that change at run time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.canary.runtime import probe
from deploy.kit.names import Names
from deploy.local.alerting import LocalAlerting, create_alerting, received
from deploy.local.demo import running_job, wait_until_running
from deploy.local.endpoint import endpoint, free_port
from deploy.local.latency import flat_contract, measure
from deploy.local.resources import create, write_properties
from flink_job.io.kinesis import client, publish
from tests.harness.deployment import on_the_wire
from tests.harness.jobs import SAMPLES

SILENT = {"rule_id": "silent", "severity": "major", "no_data": "10s"}
HOT = {"rule_id": "hot", "signal": "temperature", "severity": "critical", "when": "> 80"}
TIMEOUT_S = 60
#: Refresh of the rules [s].
REFRESH_S = 2


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


def test_from_a_reading_to_the_queue(url: str, tmp_path: Path) -> None:
    """Each alert once. The target is two seconds; the bound here is generous, because the machine can be busy."""
    found = measure(url, tmp_path, alerts=20, pause_s=0.2, console=Console(quiet=True))
    assert (len(found.seconds), found.lost, found.doubled) == (20, 0, 0)
    assert found.quantile(0.5) < 8


class Stream:
    """A running job whose rules can be replaced, and the queue of its notifications."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.names, self.folder = url, Names("stream-alerts"), folder
        (folder / "rules.yaml").write_text(json.dumps({"rules": [SILENT]}))
        stacks = create(
            self.names, url, SAMPLES / "tariffs", folder / "rules.yaml", shards=1, triggers=("notifier", "sweeper")
        )
        routes = {
            "recipients": {"crew": {"sns": "{fifo_topic}", "tokens": 1000, "refill_s": 1, "group_s": 0}},
            "routes": [{"site": "*", "to": ["crew"]}],
        }
        self.made: LocalAlerting = create_alerting(stacks, routes)
        properties = folder / "application_properties.json"
        write_properties(properties, self.names, url, REFRESH_S, 2, checkpoint_s=5, silence_s=5, idle_timeout_s=5)
        publish(self.names.contracts, map(flat_contract, ("a", "b")), lambda sent: None, url)
        self.received: list[tuple[str, str, str, str]] = []
        self.second = 0

    def send(self, *meters: str, temperature: float = 50) -> None:
        """Publish a reading of each meter, with a new interval."""
        self.second += 1
        records = (reading(meter, self.second, temperature) for meter in meters)
        publish(self.names.readings, records, lambda sent: None, self.url)

    def contract(self, meter: str, **changes: Any) -> None:
        """Publish a contract of a meter."""
        contract = json.dumps({**json.loads(flat_contract(meter)), **changes}).encode()
        publish(self.names.contracts, iter([contract]), lambda sent: None, self.url)

    def canary(self, slot: int) -> dict[str, Any]:
        """Run the canary function as the schedule does at a slot; returns its result."""
        event = json.dumps({"time": probe.start_of(slot).isoformat()}).encode()
        answer = client("lambda", self.url).invoke(FunctionName=f"{self.names.prefix}-canary", Payload=event)
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, found
        return found

    def canary_until(
        self, slot: int, done: Callable[[dict[str, Any]], bool], again: int | None = None
    ) -> dict[str, Any]:
        """Run the canary at a slot until its result is `done`, because Firehose buffers rows. Before each retry, run it
        at slot `again`, if given.
        """
        deadline = time.monotonic() + 3 * TIMEOUT_S
        while not done(found := self.canary(slot)):
            assert time.monotonic() < deadline, found
            if again is not None:
                self.canary(again)
            time.sleep(1)
        return found

    def rules(self, *rules: dict[str, Any]) -> None:
        body = json.dumps({"rules": rules}).encode()
        client("s3", self.url).put_object(Bucket=self.names.registry, Key="rules/rules.yaml", Body=body)

    def until(self, rule: str, entity: str, state: str, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Wait for a notification; returns its `detail`."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            meanwhile()
            for message in received(self.url, self.made.inbox):
                self.received += [(r["rule_id"], r["entity"], r["state"], r["detail"]) for r in message["alerts"]]
            for found in self.received:
                if found[:3] == (rule, entity, state):
                    return found[3]
            time.sleep(0.5)
        raise AssertionError(
            f"no notification of {rule} {entity} {state} within {TIMEOUT_S} s; received {self.received}"
        )


def reading(meter: str, number: int, temperature: float) -> bytes:
    start = datetime.fromtimestamp(time.time() // 1 - 600 + number, UTC).isoformat()
    values = {"import": 0.001, "temperature": temperature}
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 1, "values": values}).encode()


@pytest.fixture(scope="module")
def stream(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    folder = tmp_path_factory.mktemp("stream")
    stream = Stream(url, folder)
    with running_job(folder) as job:
        wait_until_running(job, folder, Console(quiet=True))
        yield stream


def test_heartbeats_and_rules_that_change(stream: Stream) -> None:
    for _ in range(5):
        stream.send("a", "b")
        time.sleep(1)
    # One of two meters stops reporting, then the other: nothing arrives any more, and only the clock advances.
    stream.until("silent", "a", "raised", lambda: stream.send("b"))
    assert not any(entity == "b" for _, entity, *_ in stream.received)
    stream.until("silent", "b", "raised")
    stream.until("silent", "a", "cleared", lambda: stream.send("a"))
    # A rule is added and removed while the job runs.
    stream.rules(SILENT, HOT)
    stream.until("hot", "a", "raised", lambda: stream.send("a", temperature=90))
    stream.rules(SILENT)
    assert stream.until("hot", "a", "cleared", lambda: stream.send("a", temperature=90)) == "the rule was removed"
    changes = [found[:3] for found in stream.received]
    assert len(changes) == len(set(changes)), changes


def test_every_alert_ends_with_its_reason(stream: Stream) -> None:
    """Rules are edited and removed and contracts move while meters are silent: nothing else ends their alerts.

    Meter `absent` has a contract and never sends. The tariff of `untariffed` is missing, and it sends all the time.
    """
    gateway = {**SILENT, "rule_id": "gateway", "per": "tag:gateway"}
    warm = {**HOT, "rule_id": "warm", "when": "> 60", "scope": {"site": "hall-1/*"}}
    edited = {**HOT, "rule_id": "edited"}
    stream.rules(SILENT, gateway, warm, edited)
    time.sleep(2 * REFRESH_S)
    for meter in ("m1", "m2"):
        stream.contract(meter, site_path=f"hall-1/p/l/{meter}", tags={"gateway": "g1"})
    stream.contract("absent")
    stream.contract("untariffed", assignments=[{"tariff_id": "none", "valid_from": "2026-01-01"}])
    others = ("a", "b", "untariffed")
    stream.until("warm", "m1", "raised", lambda: stream.send("m1", "m2", *others, temperature=70))
    stream.until("edited", "m2", "raised", lambda: stream.send("m1", "m2", *others, temperature=90))
    for rule, entity in (("silent", "absent"), ("silent", "m1"), ("silent", "m2"), ("gateway", "gateway=g1")):
        stream.until(rule, entity, "raised", lambda: stream.send(*others))

    def ended(rule: str, entity: str) -> str:
        return stream.until(rule, entity, "cleared", lambda: stream.send(*others))

    stream.contract("m1", site_path="hall-2/p/l/m1", tags={"gateway": "g2"})
    assert ended("warm", "m1") == "outside the rule's scope"
    assert ("gateway", "gateway=g1", "cleared") not in [found[:3] for found in stream.received]
    stream.contract("m2", site_path="hall-1/p/l/m2", tags={"gateway": "g2"})
    assert ended("gateway", "gateway=g1") == "no meter is left"
    stream.rules({**SILENT, "scope": {"site": "hall-2/*"}}, warm, {**edited, "signal": "vibration"})
    assert ended("silent", "m2") == ended("silent", "absent") == "outside the rule's scope"
    assert ended("edited", "m2") == "the rule was changed"
    stream.rules()
    assert ended("silent", "m1") == "the rule was removed"
    # A meter that sends is not silent without a tariff, and its temperature has alerts.
    untariffed = {rule for rule, entity, *_ in stream.received if entity == "untariffed"}
    assert "edited" in untariffed
    assert "silent" not in untariffed


def test_the_canary_finds_the_costs_of_its_readings(stream: Stream) -> None:
    """The deployed function, run slot by slot: no costs at first, then exact costs; a wrong cost is detected."""
    first = probe.slot_of(datetime.now(UTC)) - 3
    found = stream.canary(first)
    assert (found["found"], found["wrong"]) == (0, 0)
    assert found["age_s"] >= 6 * 3600
    # The first reading can be processed before its contract and be unpriced: the same event publishes it again.
    stream.canary_until(first + 1, lambda found: found["found"] == 1, again=first)
    found = stream.canary_until(first + 2, lambda found: found["found"] == 2)
    assert found["wrong"] == 0
    # The latest reading with a cost was due between 30 and 45 minutes ago.
    assert 2 * 900 <= found["age_s"] <= 3 * 900 + 60
    false = {
        "reading_id": "false", "tenant": probe.NAME, "meter_id": probe.NAME, "revision": 0, "energy_kwh": 0,
        "interval_start": f"{probe.interval_of(first + 1):%Y-%m-%d %H:%M:%S}", "cost": 0.000001, "currency": "EUR",
    }  # fmt: skip
    client("firehose", stream.url).put_record(
        DeliveryStreamName=stream.names.delivery("costs"),
        Record={"Data": json.dumps(on_the_wire("costs", false)).encode()},
    )
    found = stream.canary_until(first + 2, lambda found: found["wrong"] > 0)
    assert found["wrong"] == 1
