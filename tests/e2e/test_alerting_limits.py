"""Limits of notifications: digests of floods, grouping by line, inhibition by gateways, reminders."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from deploy.local.endpoint import endpoint, free_port
from tests.harness.alerting import alert, notified
from tests.harness.alerting_deployment import UNLIMITED, AlertingDeployment

#: Fields of an alert of a gateway.
GATEWAY = {"rule_id": "gateway", "entity": "gateway=g1", "site_path": "zaragoza", "tags": "gateway=g1"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


def test_a_flood_is_held_back_and_sent_in_a_digest(url: str) -> None:
    deployment = AlertingDeployment(url, "flood", {**UNLIMITED, "tokens": 2, "refill_s": 2})
    rows = [alert(f"f{n}", entity=f"m-{n}", site_path=f"zaragoza/p/line-{n}/m-{n}") for n in range(12)]
    deployment.notify(*rows)
    time.sleep(2.1)
    deployment.sweep()
    messages = deployment.inbox()
    assert [len(message["alerts"]) for message in messages[:2]] == [1, 1]
    assert messages[2]["text"].splitlines() == [
        "10 notifications were held back to limit the message rate:",
        "  10 x Bearing too hot (major)",
    ]
    # Only notified raises are followed by a clear.
    ended = [{**row, "change_number": 1, "state": "cleared"} for row in rows]
    time.sleep(5)
    deployment.notify(*ended)
    deployment.sweep()
    assert [state for _, _, state in notified(deployment.inbox())] == ["cleared", "cleared"]


def test_an_emergency_is_never_held_back(url: str) -> None:
    deployment = AlertingDeployment(url, "urgent", {**UNLIMITED, "tokens": 1, "refill_s": 3600})
    deployment.notify(alert("u0"), alert("u1", entity="m-2", site_path="zaragoza/p/l2/m-2", severity="emergency"))
    deployment.notify(alert("u2", entity="m-3", site_path="zaragoza/p/l3/m-3", severity="emergency"))
    assert {"u1", "u2"} <= {alert_id for alert_id, _, _ in notified(deployment.inbox())}


def test_alerts_of_a_line_are_grouped(url: str) -> None:
    deployment = AlertingDeployment(url, "grouped", {**UNLIMITED, "group_s": 1})
    deployment.notify(alert("g0"))
    deployment.notify(*(alert(f"g{n}", entity=f"m-{n}") for n in range(1, 5)))
    assert [len(message["alerts"]) for message in deployment.inbox()] == [1]
    time.sleep(1.1)
    deployment.sweep()
    [message] = deployment.inbox()
    assert len(message["alerts"]) == 4
    assert message["subject"].endswith("(+3 more)")


def test_historical_and_muted_changes_are_not_notified(url: str) -> None:
    deployment = AlertingDeployment(url, "quiet", UNLIMITED)
    deployment.notify(alert("h", historical=True), alert("h", 1, "cleared", historical=True), alert("q", muted=True))
    assert deployment.inbox() == []
    # A raise that was notified is followed by its clear, even within the next mute.
    deployment.notify(alert("q", 1), alert("q", 2, "cleared", muted=True))
    assert notified(deployment.inbox()) in ([("q", 1, "raised"), ("q", 2, "cleared")], [])


def test_a_gateway_that_is_offline_inhibits_its_meters(url: str) -> None:
    deployment = AlertingDeployment(url, "inhibit", UNLIMITED)
    meter = {"inhibited_by": "gateway", "tags": "class=oven;gateway=g1"}
    deployment.notify(alert("gw", **GATEWAY), alert("m", **meter), alert("other", entity="m-9", inhibited_by="gateway"))
    assert notified(deployment.inbox()) == [("gw", 0, "raised")]
    # After the wait the other meter is notified; the gateway's meter once the gateway is back.
    deployment.sweep(11)
    assert notified(deployment.inbox()) == [("other", 0, "raised")]
    deployment.notify(alert("gw", 1, "cleared", **GATEWAY))
    deployment.sweep(80)
    assert set(notified(deployment.inbox())) == {("gw", 1, "cleared"), ("m", 0, "raised")}


def test_the_end_of_an_older_alert_leaves_the_newer_one_inhibiting(url: str) -> None:
    """After a restart an alert may be raised with another beginning, before the one from before the crash ends."""
    deployment = AlertingDeployment(url, "replaced", UNLIMITED)
    deployment.notify(alert("before", **GATEWAY), alert("after", **GATEWAY), alert("before", 1, "cleared", **GATEWAY))
    deployment.notify(alert("m", inhibited_by="gateway", tags="class=oven;gateway=g1"))
    deployment.sweep(11)
    sent = notified(deployment.inbox())
    assert ("before", 1, "cleared") in sent
    assert ("m", 0, "raised") not in sent


def test_an_end_waits_for_a_raise_that_may_be_inhibited(url: str) -> None:
    """Both arrive within the ten seconds that a raise waits, as after an outage."""
    deployment = AlertingDeployment(url, "brief", UNLIMITED)
    free = {"entity": "m-9", "inhibited_by": "gateway"}
    meter = {"inhibited_by": "gateway", "tags": "gateway=g1", "site_path": "zaragoza/p/line-2/m-1"}
    deployment.notify(alert("free", **free), alert("free", 1, "cleared", **free))
    deployment.notify(alert("gw", **GATEWAY), alert("m", **meter), alert("m", 1, "cleared", **meter))
    assert notified(deployment.inbox()) == [("gw", 0, "raised")]
    for seconds in (11, 20):
        deployment.sweep(seconds)
    assert notified(deployment.inbox()) == [("free", 0, "raised"), ("free", 1, "cleared")]
    # The other was inhibited, and has ended.
    for seconds in (80, 90, 100):
        deployment.sweep(seconds)
    assert notified(deployment.inbox()) == []


def test_unacknowledged_alerts_are_followed_by_reminders(url: str) -> None:
    deployment = AlertingDeployment(url, "again", {**UNLIMITED, "repeat_s": 1})
    deployment.notify(alert("n"))
    assert notified(deployment.inbox()) == [("n", 0, "raised")]
    time.sleep(1.1)
    deployment.sweep()
    assert notified(deployment.inbox()) == [("n", 0, "raised")]
