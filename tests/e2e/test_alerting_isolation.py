"""Recipients, tenants and documents that are broken or hostile, at the emulated endpoint: each harms itself alone."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.alerting.runtime import api, context, notifier, outbox, sweeper
from deploy.alerting.runtime import message_items as message_items
from deploy.alerting.runtime import metrics as metrics
from deploy.kit.names import ROUTES
from deploy.local.alerting import received
from deploy.local.endpoint import endpoint, free_port
from deploy.release import smoke_alert
from flink_job.io.kinesis import client
from tests.harness.alerting import alert, kinesis_event, told
from tests.harness.alerting_deployment import LEASE_MS, OPEN_HANDED, Place
from tests.harness.api_events import CHIEF, answer, claims_of, request
from tests.unit.deploy.alerting.test_webhook import drip_headers, receiver

GONE = "arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-abcdef"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def shared(url: str) -> Place:
    return Place(url, "apart", OPEN_HANDED)


class Here:
    """The functions in this process, as a place's are configured; a new one starts without anything remembered."""

    def __init__(self, place: Place, patch: pytest.MonkeyPatch) -> None:
        self.place, self.metrics = place, {}  # type: ignore[var-annotated]
        for name, value in place.environment.items():
            patch.setenv(name, value)
        for module in (message_items, outbox):
            patch.setattr(module, "LEASE_MS", LEASE_MS)
        patch.setattr(metrics, "count", lambda name, value=1: self.metrics.__setitem__(name, value))
        self.forget()

    def forget(self) -> None:
        for found in (context.client, context.channels, context.routes_cache):
            found.cache_clear()

    def routes(self, document: Any, key: str = ROUTES) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        client("s3", self.place.url).put_object(Bucket=self.place.names.registry, Key=key, Body=body)
        self.forget()

    def notify(self, *rows: dict[str, Any]) -> None:
        assert notifier.handler(kinesis_event(*rows), None)["batchItemFailures"] == []

    def sweep(self) -> dict[str, int]:
        sweeper.handler({}, None)
        return self.metrics


@pytest.fixture
def here(shared: Place, monkeypatch: pytest.MonkeyPatch) -> Here:
    received(shared.url, shared.made.inbox)
    return Here(shared, monkeypatch)


def crew(place: Place, **others: Any) -> dict[str, Any]:
    """Routes of everything to the inbox, and to others."""
    recipients = {"crew": {**OPEN_HANDED, "sns": place.made.fifo_topic}, **others}
    return {"recipients": recipients, "routes": [{"site": "*", "to": list(recipients)}]}


def hook(port: int) -> dict[str, Any]:
    return {"webhook": f"http://127.0.0.1:{port}/", "secret": "s", "group_s": 0, "tokens": 1000, "refill_s": 1}


def test_without_routes_nothing_fails_and_a_metric_says_so(here: Here) -> None:
    client("s3", here.place.url).delete_object(Bucket=here.place.names.registry, Key=ROUTES)
    here.forget()
    here.notify(alert("nobody"))
    assert here.sweep()[metrics.NO_RECIPIENTS] == 1
    here.routes(crew(here.place))
    assert here.sweep()[metrics.NO_RECIPIENTS] == 0


def test_a_secret_that_is_missing_disables_its_recipient_alone(here: Here) -> None:
    here.routes(crew(here.place, hook={**hook(1), "secret": GONE}))
    here.notify(alert("secretless"))
    assert ("secretless", 0, "raised") in told(here.place.inbox())
    assert here.sweep()[metrics.RECIPIENTS_DOWN] == 1


@pytest.mark.parametrize("broken", [b"{", b"[" * 9000, b'{"recipients": {"x": {"sns": 1}}, "routes": []}', b"\xff"])
def test_a_broken_document_leaves_the_last_good_one_in_force(here: Here, broken: bytes) -> None:
    """In a function that starts anew, too."""
    here.routes(crew(here.place))
    here.sweep()
    here.routes(broken)
    name = f"kept-{time.monotonic_ns()}"
    here.notify(alert(name))
    assert (name, 0, "raised") in told(here.place.inbox())
    assert here.sweep()[metrics.ROUTES_REJECTED] == 1


def test_a_receiver_that_drips_delays_nobody_and_is_left_alone(here: Here) -> None:
    connections = []

    def drip(connection: socket.socket) -> None:
        connections.append(connection)
        drip_headers(connection)

    with receiver(drip) as port:
        here.routes(crew(here.place, hook=hook(port)))
        for number in range(5):
            start = time.monotonic()
            here.notify(alert(f"drip-{number}", entity=f"m-{number}"))
            assert time.monotonic() - start < 9
            time.sleep(0.3)
        messages = [m for m in here.place.inbox() if m["alerts"][0]["alert_id"].startswith("drip-")]
        assert len(told(messages)) == 5
        # Three failures open the breaker.
        assert len(connections) == 3
        assert here.sweep()[metrics.RECIPIENTS_DOWN] == 1


def test_a_budget_bounds_emergencies_too(here: Here) -> None:
    here.routes(
        crew(here.place) | {"recipients": {"crew": {**OPEN_HANDED, "sns": here.place.made.fifo_topic, "per_hour": 3}}}
    )
    key = {"pk": {"S": "R#crew"}, "sk": {"S": "RATE"}}
    client("dynamodb", here.place.url).delete_item(TableName=here.place.environment["TABLE"], Key=key)
    here.notify(
        *(alert(f"loud-{n}", entity=f"l-{n}", site_path=f"z/p/l-{n}/m", severity="emergency") for n in range(8))
    )
    loud = [row for row in told(here.place.inbox()) if row[0].startswith("loud-")]
    assert len(loud) == 3
    assert here.metrics[metrics.OVER_BUDGET] == 1
    client("dynamodb", here.place.url).delete_item(TableName=here.place.environment["TABLE"], Key=key)


POISON = [
    *(b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"a": ' * 900 + b"1" + b"}" * 900),
    *(
        json.dumps(alert("p") | changed).encode()
        for changed in (
            {"entity": "e" * 3000}, {"site_path": "s" * 3000}, {"severity": "worst"}, {"state": []}, {"tags": 7},
            {"alert_id": ""}, {"value": "x"}, {"title": None}, {"event_time": "yesterday"}, {"tenant": "a b"},
            {"change_number": 1e300}, {"hint": "x" * 900_000}, {"site_path": ["z"]}, {"episode_start": 5},
        )
    ),
]  # fmt: skip


def test_records_that_are_no_changes_hold_nothing_up(here: Here) -> None:
    here.routes(crew(here.place))
    for data in POISON:
        assert notifier.record_change(data) == [], data[:80]
    here.notify(alert("after-poison"))
    assert ("after-poison", 0, "raised") in told(here.place.inbox())


def test_the_check_after_a_deployment_reaches_its_queue_and_nobody_else(url: str) -> None:
    place = Place(url, "checked", OPEN_HANDED, trigger=True)
    clients = smoke_alert.Clients(client("kinesis", url), client("sqs", url))
    assert smoke_alert.check(clients, place.names, datetime.now(UTC), limit_s=60) < 60
    assert place.inbox() == []
    with pytest.raises(smoke_alert.SmokeAlertError, match="did not reach"):
        smoke_alert.check(clients, place.names, datetime.now(UTC), limit_s=0)


names = st.sampled_from(["default", "acme", "acme-b", "t", "b"])
sites = st.sampled_from(["zaragoza", "pune", "acme", "T#acme\x1fzaragoza", "zaragoza#open", "acme\x1fpune"])


@given(st.lists(st.tuples(names, sites, st.integers(0, 3)), min_size=1, max_size=5, unique=True))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_tenant_sees_tells_or_acknowledges_for_another(here: Here, raised: list[tuple[str, str, int]]) -> None:
    """The same alert ids, rules, entities and sites in several tenants."""
    run = f"r{time.monotonic_ns()}"
    place, queue = here.place, here.place.made.queue
    # Only tenant acme has recipients.
    only = {
        "recipients": {"crew": {"sqs": queue, "group_s": 0, "tokens": 1000}},
        "routes": [{"site": "*", "to": ["crew"]}],
    }
    here.routes({"recipients": {}, "routes": []})
    here.routes(only, "rules/acme/routes.json")
    rows = [alert(f"{run}-{n}", site_path=f"{site}/p/l/m", tenant=tenant) for tenant, site, n in raised]
    seen: dict[tuple[str, str], str] = {}
    for (tenant, site, n), row in zip(raised, rows, strict=True):
        here.notify(row)
        seen.setdefault((tenant, f"{run}-{n}"), site)  # the same again is a repeat
    messages = [row for m in received(place.url, queue) for row in m["alerts"] if row["alert_id"].startswith(run)]
    assert {row["tenant"] for row in messages} <= {"acme"}
    assert len(messages) == len({i for t, i in seen if t == "acme"})
    for tenant in ("default", "acme", "acme-b", "t", "b"):
        for who, allowed in (("all", "*"), ("one", "zaragoza")):
            claims = claims_of(who, allowed, tenant="" if tenant == "default" else tenant)
            mine = {i for (t, i), site in seen.items() if t == tenant and allowed in ("*", site)}
            found = answer(api.handler, request("GET", "/alerts", claims))[1]["alerts"]
            assert {a["alert_id"] for a in found if a["alert_id"].startswith(run)} == mine
            assert {a.get("tenant", "default") for a in found} <= {tenant}
            for alert_id in {i for _, i in seen}:
                status = answer(api.handler, request("GET", f"/alerts/{alert_id}", claims))[0]
                assert status == (200 if alert_id in mine else 404)
        stranger = claims_of("stranger", "nowhere", tenant="" if tenant == "default" else tenant)
        for alert_id in {i for _, i in seen}:
            assert answer(api.handler, request("POST", f"/alerts/{alert_id}/ack", stranger, {}))[0] == 404
    # What one tenant acknowledges stays open for the others.
    (tenant, alert_id), *others = seen
    claims = {**CHIEF, "custom:tenant": tenant}
    assert answer(api.handler, request("POST", f"/alerts/{alert_id}/ack", claims, {}))[0] == 200
    for other, other_id in others:
        state = context.table(other).alert(other_id)
        assert state is not None
        assert "acknowledged_by" not in state


def test_a_key_of_one_user_does_not_swallow_the_deed_of_another(here: Here) -> None:
    here.notify(alert("keys"))
    for who in ("ana", "ben"):
        event = request("POST", "/alerts/keys/comment", claims_of(who, "*"), {"note": who}, key="k")
        assert answer(api.handler, event)[0] == 200
    history = answer(api.handler, request("GET", "/alerts/keys", CHIEF))[1]["history"]
    assert [(h["note"], h["subject"]) for h in history if "note" in h] == [("ana", "sub-ana"), ("ben", "sub-ben")]
    event = request("POST", "/alerts/keys/ack", claims_of("ana", "*"), {}, key="k")
    assert answer(api.handler, event)[0] == 409
