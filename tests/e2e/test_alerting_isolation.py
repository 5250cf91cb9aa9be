"""Broken or hostile recipients, tenants and documents at the emulated endpoint do not affect the others."""

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

from deploy.alerting.runtime import api, context, message_items, metrics, notifier, outbox, sweeper
from deploy.kit.names import ROUTES
from deploy.local.alerting import received
from deploy.local.endpoint import endpoint, free_port
from deploy.release import smoke_alert
from flink_job.io.kinesis import client
from tests.harness.alerting import alert, kinesis_event, notified
from tests.harness.alerting_deployment import LEASE_MS, UNLIMITED, AlertingDeployment
from tests.harness.api_events import CHIEF, answer, claims_of, request
from tests.unit.deploy.alerting.test_webhook import drip_headers, receiver

GONE = "arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-abcdef"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def shared(url: str) -> AlertingDeployment:
    return AlertingDeployment(url, "apart", UNLIMITED)


class InProcessFunctions:
    """The functions in this process, configured like those of a deployment, with empty caches."""

    def __init__(self, deployment: AlertingDeployment, patch: pytest.MonkeyPatch) -> None:
        self.deployment, self.metrics = deployment, {}  # type: ignore[var-annotated]
        for name, value in deployment.environment.items():
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
        client("s3", self.deployment.url).put_object(Bucket=self.deployment.names.registry, Key=key, Body=body)
        self.forget()

    def notify(self, *rows: dict[str, Any]) -> None:
        assert notifier.handler(kinesis_event(*rows), None)["batchItemFailures"] == []

    def sweep(self) -> dict[str, int]:
        sweeper.handler({}, None)
        return self.metrics


@pytest.fixture
def functions(shared: AlertingDeployment, monkeypatch: pytest.MonkeyPatch) -> InProcessFunctions:
    received(shared.url, shared.made.inbox)
    return InProcessFunctions(shared, monkeypatch)


def crew(deployment: AlertingDeployment, **others: Any) -> dict[str, Any]:
    """Routes of all alerts to the inbox and to further recipients."""
    recipients = {"crew": {**UNLIMITED, "sns": deployment.made.fifo_topic}, **others}
    return {"recipients": recipients, "routes": [{"site": "*", "to": list(recipients)}]}


def hook(port: int) -> dict[str, Any]:
    return {"webhook": f"http://127.0.0.1:{port}/", "secret": "s", "group_s": 0, "tokens": 1000, "refill_s": 1}


def test_without_routes_a_metric_is_written_and_nothing_fails(functions: InProcessFunctions) -> None:
    client("s3", functions.deployment.url).delete_object(Bucket=functions.deployment.names.registry, Key=ROUTES)
    functions.forget()
    functions.notify(alert("nobody"))
    assert functions.sweep()[metrics.NO_RECIPIENTS] == 1
    functions.routes(crew(functions.deployment))
    assert functions.sweep()[metrics.NO_RECIPIENTS] == 0


def test_a_missing_secret_disables_its_recipient_only(functions: InProcessFunctions) -> None:
    functions.routes(crew(functions.deployment, hook={**hook(1), "secret": GONE}))
    functions.notify(alert("secretless"))
    assert ("secretless", 0, "raised") in notified(functions.deployment.inbox())
    assert functions.sweep()[metrics.RECIPIENTS_DOWN] == 1


@pytest.mark.parametrize("broken", [b"{", b"[" * 9000, b'{"recipients": {"x": {"sns": 1}}, "routes": []}', b"\xff"])
def test_an_invalid_document_leaves_the_last_valid_one_in_force(functions: InProcessFunctions, broken: bytes) -> None:
    """Also in a function that starts later."""
    functions.routes(crew(functions.deployment))
    functions.sweep()
    functions.routes(broken)
    name = f"kept-{time.monotonic_ns()}"
    functions.notify(alert(name))
    assert (name, 0, "raised") in notified(functions.deployment.inbox())
    assert functions.sweep()[metrics.ROUTES_REJECTED] == 1


def test_a_slow_receiver_delays_nobody_and_opens_its_breaker(functions: InProcessFunctions) -> None:
    connections = []

    def drip(connection: socket.socket) -> None:
        connections.append(connection)
        drip_headers(connection)

    with receiver(drip) as port:
        functions.routes(crew(functions.deployment, hook=hook(port)))
        for number in range(5):
            start = time.monotonic()
            functions.notify(alert(f"drip-{number}", entity=f"m-{number}"))
            assert time.monotonic() - start < 9
            time.sleep(0.3)
        messages = [m for m in functions.deployment.inbox() if m["alerts"][0]["alert_id"].startswith("drip-")]
        assert len(notified(messages)) == 5
        # Three failures open the circuit breaker.
        assert len(connections) == 3
        assert functions.sweep()[metrics.RECIPIENTS_DOWN] == 1


def test_a_budget_limits_emergencies_too(functions: InProcessFunctions) -> None:
    functions.routes(
        crew(functions.deployment)
        | {"recipients": {"crew": {**UNLIMITED, "sns": functions.deployment.made.fifo_topic, "per_hour": 3}}}
    )
    key = {"pk": {"S": "R#crew"}, "sk": {"S": "RATE"}}
    client("dynamodb", functions.deployment.url).delete_item(
        TableName=functions.deployment.environment["TABLE"], Key=key
    )
    functions.notify(
        *(alert(f"loud-{n}", entity=f"l-{n}", site_path=f"z/p/l-{n}/m", severity="emergency") for n in range(8))
    )
    loud = [row for row in notified(functions.deployment.inbox()) if row[0].startswith("loud-")]
    assert len(loud) == 3
    assert functions.metrics[metrics.OVER_BUDGET] == 1
    client("dynamodb", functions.deployment.url).delete_item(
        TableName=functions.deployment.environment["TABLE"], Key=key
    )


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


def test_invalid_records_do_not_block_the_others(functions: InProcessFunctions) -> None:
    functions.routes(crew(functions.deployment))
    for data in POISON:
        assert notifier.record_change(data) == [], data[:80]
    functions.notify(alert("after-poison"))
    assert ("after-poison", 0, "raised") in notified(functions.deployment.inbox())


def test_the_smoke_check_notifies_its_own_queue_only(url: str) -> None:
    deployment = AlertingDeployment(url, "checked", UNLIMITED, trigger=True)
    clients = smoke_alert.Clients(client("kinesis", url), client("sqs", url))
    assert smoke_alert.check(clients, deployment.names, datetime.now(UTC), limit_s=60) < 60
    assert deployment.inbox() == []
    with pytest.raises(smoke_alert.SmokeAlertError, match="did not reach"):
        smoke_alert.check(clients, deployment.names, datetime.now(UTC), limit_s=0)


names = st.sampled_from(["default", "acme", "acme-b", "t", "b"])
sites = st.sampled_from(["zaragoza", "pune", "acme", "T#acme\x1fzaragoza", "zaragoza#open", "acme\x1fpune"])


@given(st.lists(st.tuples(names, sites, st.integers(0, 3)), min_size=1, max_size=5, unique=True))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_tenants_neither_see_nor_notify_nor_acknowledge_for_each_other(
    functions: InProcessFunctions, raised: list[tuple[str, str, int]]
) -> None:
    """The same alert ids, rules, entities and sites in several tenants."""
    run = f"r{time.monotonic_ns()}"
    deployment, queue = functions.deployment, functions.deployment.made.queue
    # Only tenant acme has recipients.
    only = {
        "recipients": {"crew": {"sqs": queue, "group_s": 0, "tokens": 1000}},
        "routes": [{"site": "*", "to": ["crew"]}],
    }
    functions.routes({"recipients": {}, "routes": []})
    functions.routes(only, "rules/acme/routes.json")
    rows = [alert(f"{run}-{n}", site_path=f"{site}/p/l/m", tenant=tenant) for tenant, site, n in raised]
    seen: dict[tuple[str, str], str] = {}
    for (tenant, site, n), row in zip(raised, rows, strict=True):
        functions.notify(row)
        seen.setdefault((tenant, f"{run}-{n}"), site)  # the same again is a duplicate
    messages = [row for m in received(deployment.url, queue) for row in m["alerts"] if row["alert_id"].startswith(run)]
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
    # An alert acknowledged by one tenant stays open for the others.
    (tenant, alert_id), *others = seen
    claims = {**CHIEF, "custom:tenant": tenant}
    assert answer(api.handler, request("POST", f"/alerts/{alert_id}/ack", claims, {}))[0] == 200
    for other, other_id in others:
        state = context.table(other).alert(other_id)
        assert state is not None
        assert "acknowledged_by" not in state


def test_an_idempotency_key_is_valid_for_its_user_only(functions: InProcessFunctions) -> None:
    functions.notify(alert("keys"))
    for who in ("ana", "ben"):
        event = request("POST", "/alerts/keys/comment", claims_of(who, "*"), {"note": who}, key="k")
        assert answer(api.handler, event)[0] == 200
    history = answer(api.handler, request("GET", "/alerts/keys", CHIEF))[1]["history"]
    assert [(h["note"], h["subject"]) for h in history if "note" in h] == [("ana", "sub-ana"), ("ben", "sub-ben")]
    event = request("POST", "/alerts/keys/ack", claims_of("ana", "*"), {}, key="k")
    assert answer(api.handler, event)[0] == 409
