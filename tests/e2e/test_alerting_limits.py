"""What alerting holds back, puts together or tells again: floods, lines, gateways, what nobody acknowledges."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from deploy.local.endpoint import endpoint, free_port
from tests.harness.alerting import alert, told
from tests.harness.alerting_deployment import OPEN_HANDED, Place

#: What an alert of a gateway has otherwise than one of a meter.
GATEWAY = {"rule_id": "gateway", "entity": "gateway=g1", "site_path": "zaragoza", "tags": "gateway=g1"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield url


def test_a_flood_is_held_back_and_told_in_a_digest(url: str) -> None:
    place = Place(url, "flood", {**OPEN_HANDED, "tokens": 2, "refill_s": 2})
    rows = [alert(f"f{n}", entity=f"m-{n}", site_path=f"zaragoza/p/line-{n}/m-{n}") for n in range(12)]
    place.notify(*rows)
    time.sleep(2.1)
    place.sweep()
    messages = place.inbox()
    assert [len(message["alerts"]) for message in messages[:2]] == [1, 1]
    assert messages[2]["text"].splitlines() == [
        "10 notifications were held back to limit the message rate:",
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
    meter = {"inhibited_by": "gateway", "tags": "class=oven;gateway=g1"}
    place.notify(alert("gw", **GATEWAY), alert("m", **meter), alert("other", entity="m-9", inhibited_by="gateway"))
    assert told(place.inbox()) == [("gw", 0, "raised")]
    # After the wait the other meter is told; the gateway's waits on, and is told when the gateway is back.
    place.sweep(11)
    assert told(place.inbox()) == [("other", 0, "raised")]
    place.notify(alert("gw", 1, "cleared", **GATEWAY))
    place.sweep(80)
    assert set(told(place.inbox())) == {("gw", 1, "cleared"), ("m", 0, "raised")}


def test_an_end_waits_for_a_beginning_that_may_be_inhibited(url: str) -> None:
    """Both come within the ten seconds that a beginning waits, as after an outage."""
    place = Place(url, "brief", OPEN_HANDED)
    free = {"entity": "m-9", "inhibited_by": "gateway"}
    meter = {"inhibited_by": "gateway", "tags": "gateway=g1", "site_path": "zaragoza/p/line-2/m-1"}
    place.notify(alert("free", **free), alert("free", 1, "cleared", **free))
    place.notify(alert("gw", **GATEWAY), alert("m", **meter), alert("m", 1, "cleared", **meter))
    assert told(place.inbox()) == [("gw", 0, "raised")]
    for seconds in (11, 20):
        place.sweep(seconds)
    assert told(place.inbox()) == [("free", 0, "raised"), ("free", 1, "cleared")]
    # The other was inhibited, and is over.
    for seconds in (80, 90, 100):
        place.sweep(seconds)
    assert told(place.inbox()) == []


def test_what_nobody_acknowledges_is_told_again(url: str) -> None:
    place = Place(url, "again", {**OPEN_HANDED, "repeat_s": 1})
    place.notify(alert("n"))
    assert told(place.inbox()) == [("n", 0, "raised")]
    time.sleep(1.1)
    place.sweep()
    assert told(place.inbox()) == [("n", 0, "raised")]
