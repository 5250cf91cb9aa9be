"""Alerts API through API Gateway with Cognito tokens: actions are recorded, access is limited to the user's sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.kit.access import caller_of
from deploy.kit.names import Names
from deploy.local.alerting import LocalAlerting, create_alerting, environment, received
from deploy.local.endpoint import endpoint, free_port
from deploy.local.people import LocalApi, api_of, call, token_of
from deploy.local.resources import create
from flink_job.io.kinesis import client
from tests.harness.alerting import alert, kinesis_event, run_function
from tests.harness.jobs import SAMPLES

NAMES = Names("api")


def email(who: str) -> str:
    return f"{who.replace('@', '.')}@plant.example"


class Service:
    """LocalAlerting with its API, alerts in two factories, and users."""

    def __init__(self, url: str) -> None:
        self.url = url
        stacks = create(NAMES, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=1)
        self.made: LocalAlerting = create_alerting(stacks)
        self.api: LocalApi = api_of(stacks)
        self.environment = environment(url, self.made.functions["notifier"])
        people = {"ana@zar": "zaragoza", "ravi@pun": "pune", "chief": "*", "guest": ""}
        self.tokens = {who: token_of(self.api, url, email(who), sites) for who, sites in people.items()}
        self.notify(
            alert("zar-1"),
            alert("zar-2", severity="critical", entity="m-2"),
            alert("pun-1", entity="p-1", site_path="pune/forging/line-1/p-1"),
            alert("zar-latch", entity="m-3", latch=True),
            alert("zar-latch", 1, "latched", entity="m-3", latch=True),
        )

    def notify(self, *rows: dict[str, Any]) -> None:
        run_function("notifier", kinesis_event(*rows), self.environment)

    def call(self, who: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """(status, answer) of a request; without a token if `who` is empty."""
        return call(self.api, self.tokens[who] if who else "", path, body, key)

    def ids(self, who: str, query: str = "") -> list[str]:
        status, answer = self.call(who, f"/alerts{query}")
        assert status == 200, answer
        return sorted(shown["alert_id"] for shown in answer["alerts"])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        yield Service(url)


def test_a_token_is_required(service: Service) -> None:
    assert service.call("", "/alerts")[0] == 401


def test_users_see_their_own_sites_only(service: Service) -> None:
    seen = {who: service.ids(who) for who in service.tokens}
    assert seen["ana@zar"] == ["zar-1", "zar-2"]
    assert seen["ravi@pun"] == ["pun-1"]
    assert seen["chief"] == ["pun-1", "zar-1", "zar-2"]
    assert seen["guest"] == []
    assert service.call("ravi@pun", "/alerts?site=zaragoza")[0] == 403
    for path in ("/alerts/zar-1", "/alerts/none"):
        assert service.call("ravi@pun", path)[0] == 404
    for action in ("ack", "comment", "assign", "snooze", "close"):
        assert service.call("ravi@pun", f"/alerts/zar-1/{action}", {"note": "x", "to": "x", "minutes": 5})[0] == 404


def test_actions_are_recorded_with_user_and_time(service: Service) -> None:
    for path, body in (
        ("ack", {"note": "on my way"}),
        ("assign", {"to": "luis"}),
        ("comment", {"note": "grease ordered"}),
        ("snooze", {"minutes": 30}),
    ):
        status, answer = service.call("ana@zar", f"/alerts/zar-1/{path}", body)
        assert status == 200, answer
    _, shown = service.call("ana@zar", "/alerts/zar-1")
    assert (shown["acknowledged_by"], shown["assigned_to"]) == (email("ana@zar"), "luis")
    assert shown["snoozed_until_ms"] > shown["acknowledged_ms"]
    actions = [(event["action"], event["who"], event["note"]) for event in shown["history"] if "action" in event]
    assert actions == [
        ("ack", email("ana@zar"), "on my way"),
        ("assign", email("ana@zar"), ""),
        ("comment", email("ana@zar"), "grease ordered"),
        ("snooze", email("ana@zar"), ""),
    ]
    assert shown["title"] == "Bearing too hot"


def test_a_repeated_action_is_recorded_once(service: Service) -> None:
    for _ in range(3):
        assert service.call("chief", "/alerts/pun-1/comment", {"note": "seen"}, key="one-1")[0] == 200
    _, shown = service.call("chief", "/alerts/pun-1")
    assert len([event for event in shown["history"] if event.get("note") == "seen"]) == 1


def test_a_latched_alert_ends_when_acknowledged(service: Service) -> None:
    assert service.ids("ana@zar", "?status=latched") == ["zar-latch"]
    assert service.call("ana@zar", "/alerts/zar-latch/ack", {})[1]["status"] == "ended"
    assert service.ids("ana@zar", "?status=latched") == []
    assert "zar-latch" in service.ids("ana@zar", "?status=ended")


def test_a_snoozed_alert_is_not_notified(service: Service) -> None:
    received(service.url, service.made.inbox)
    service.call("ana@zar", "/alerts/zar-2/snooze", {"minutes": 60})
    service.notify(alert("zar-2", 1, "escalated", severity="emergency", entity="m-2"))
    assert received(service.url, service.made.inbox) == []


def test_an_alert_is_closed_by_hand(service: Service) -> None:
    """Those who were notified are notified who closed it and why; repeated, it is closed once."""
    service.notify(alert("zar-4", entity="m-4", severity="critical"))
    assert received(service.url, service.made.inbox)
    assert service.call("ravi@pun", "/alerts/zar-4/close", {"note": "x"})[0] == 404
    for _ in range(2):
        status, shown = service.call("ana@zar", "/alerts/zar-4/close", {"note": "sensor replaced"})
        assert (status, shown["status"], shown["closed_by"]) == (200, "ended", email("ana@zar"))
    assert "zar-4" not in service.ids("ana@zar") and "zar-4" in service.ids("ana@zar", "?status=ended")
    _, shown = service.call("ana@zar", "/alerts/zar-4")
    actions = [(event["action"], event["who"], event["note"]) for event in shown["history"] if "action" in event]
    assert actions == [("close", email("ana@zar"), "sensor replaced")]
    run_function("sweeper", {}, service.environment)
    [message] = received(service.url, service.made.inbox)
    assert "closed by hand: Bearing too hot" in message["text"]
    assert f"Why: sensor replaced ({email('ana@zar')})" in message["text"]


def test_a_closed_alert_opens_again_with_news_only(service: Service) -> None:
    """The job clears it later: nothing is sent. It escalates before that: it is open, and people are notified."""
    for number, entity in ((5, "m-5"), (6, "m-6")):
        service.notify(alert(f"zar-{number}", entity=entity, severity="critical"))
        assert service.call("ana@zar", f"/alerts/zar-{number}/close", {"note": "known"})[0] == 200
    run_function("sweeper", {}, service.environment)
    received(service.url, service.made.inbox)
    service.notify(
        *(alert("zar-5", n, s, entity="m-5", severity="critical") for n, s in ((1, "eased"), (2, "cleared")))
    )
    assert received(service.url, service.made.inbox) == []
    assert service.call("ana@zar", "/alerts/zar-5")[1]["closed_by"] == email("ana@zar")
    service.notify(alert("zar-6", 1, "escalated", severity="critical", entity="m-6"))
    [message] = received(service.url, service.made.inbox)
    assert "escalated" in message["subject"]
    _, shown = service.call("ana@zar", "/alerts/zar-6")
    assert shown["status"] == "open" and "closed_by" not in shown and "ended_ms" not in shown


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/alerts/zar-1/snooze", {"minutes": -1}),
        ("/alerts/zar-1/snooze", {"minutes": "1"}),
        ("/alerts/zar-1/assign", {"to": ""}),
        ("/alerts/zar-1/comment", {}),
        ("/alerts/zar-1/close", {}),
        ("/alerts/zar-1/close", {"note": " "}),
        ("/alerts/zar-1/comment", {"note": "x" * 3000}),
        ("/alerts/zar-1/comment", [1]),
        ("/alerts/zar-1/comment", b"{"),
        ("/alerts?status=everything", None),
        ("/alerts?site=zaragoza&next={}", None),
        ("/alerts?site=zaragoza&next=%7B%22site_status%22%3A%22pune%23open%22%7D", None),
    ],
)
def test_invalid_requests_get_400(service: Service, path: str, body: Any) -> None:
    assert service.call("ana@zar", path, body)[0] == 400


def test_actions_are_written_to_the_lake(service: Service) -> None:
    """The time to acknowledge is derived from them there."""
    import time

    service.call("chief", "/alerts/zar-1/comment", {"note": "for the lake"})
    s3, deadline = client("s3", service.url), time.monotonic() + 30
    while time.monotonic() < deadline:
        if s3.list_objects_v2(Bucket=NAMES.lake, Prefix="alert_actions/").get("KeyCount"):
            return
        time.sleep(0.3)
    raise AssertionError("no Parquet of alert_actions")


sites = st.text(alphabet="abc*, /#", max_size=6)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(sites, max_size=4), sites)
def test_a_caller_sees_a_site_if_and_only_if_the_token_names_it(named: list[str], site: str) -> None:
    caller = caller_of({"email": "x", "custom:sites": ",".join(named)})
    claimed = {part.strip() for name in named for part in name.split(",")} - {""}
    assert caller.may_see(site) == (bool(site) and (site in claimed or "*" in claimed))
