"""The API of alerts: list, look at, acknowledge, assign, comment, snooze. Every deed is noted with who and when.

Behind API Gateway (HTTP API) with a JWT authorizer: claims come verified. Alerts of sites that are not the caller's do
not exist for the caller. `Idempotency-Key` makes a deed safe to send again.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, ForbiddenError, NotFoundError

from deploy.access import body_in, caller_in, key_in

from . import context
from .items import ENDED, LATCHED, OPEN

logger = Logger(service="alerts-api")
app = APIGatewayHttpResolver()
MAX_NOTE = 2000
MAX_SNOOZE_MIN = 7 * 24 * 60
STATUSES = (OPEN, LATCHED, ENDED)


@app.get("/alerts")
def list_alerts() -> dict[str, Any]:
    """Alerts of the caller's sites, newest first: `?site=...&status=open|latched|ended&next=...`."""
    caller, asked = caller_in(app), app.current_event.query_string_parameters or {}
    status = asked.get("status", OPEN)
    if status not in STATUSES:
        raise BadRequestError(f"status is one of {', '.join(STATUSES)}")
    if site := asked.get("site"):
        if not caller.may_see(site):
            raise ForbiddenError(f"no access to site {site}")
        alerts, following = context.table().of_site(site, status, start=_start(asked.get("next"), site, status))
        return {"alerts": [_shown(a) for a in alerts], "next": json.dumps(following) if following else None}
    sites = [site for site in context.table().sites() if caller.may_see(site)]
    found = [alert for site in sites for alert in context.table().of_site(site, status)[0]]
    found.sort(key=lambda alert: alert["raised_ms"], reverse=True)
    return {"alerts": [_shown(a) for a in found[:100]], "next": None}


@app.get("/alerts/<alert_id>")
def show_alert(alert_id: str) -> dict[str, Any]:
    """One alert with its history."""
    alert = _alert(alert_id)
    history = [{k: v for k, v in item.items() if k not in ("pk", "sk")} for item in context.table().history(alert_id)]
    return {**_shown(alert), "history": [_event(item) for item in history]}


@app.post("/alerts/<alert_id>/ack")
def acknowledge(alert_id: str) -> Response[str]:
    """Take note: it is not told again; a latched alert is over."""
    alert, caller = _alert(alert_id), caller_in(app)
    changes: dict[str, Any] = {"acknowledged_by": caller.name, "acknowledged_ms": context.now_ms()}
    if alert["status"] == LATCHED:
        changes |= {"status": ENDED, "site_status": f"{alert['site']}#{ENDED}", "ended_ms": context.now_ms()}
    return _do(alert, "ack", changes)


@app.post("/alerts/<alert_id>/assign")
def assign(alert_id: str) -> Response[str]:
    """Give it to somebody: `{"to": ...}`."""
    to = str(body_in(app).get("to") or "")
    if not 0 < len(to) <= 200:
        raise BadRequestError("to names somebody, in at most 200 characters")
    return _do(_alert(alert_id), "assign", {"assigned_to": to})


@app.post("/alerts/<alert_id>/comment")
def comment(alert_id: str) -> Response[str]:
    """Say something: `{"note": ...}`."""
    if not body_in(app).get("note"):
        raise BadRequestError("note is empty")
    return _do(_alert(alert_id), "comment", {})


@app.post("/alerts/<alert_id>/snooze")
def snooze(alert_id: str) -> Response[str]:
    """Not to be told for a while: `{"minutes": ...}`, 0 to end it."""
    minutes = body_in(app).get("minutes")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MAX_SNOOZE_MIN:
        raise BadRequestError(f"minutes is a whole number from 0 to {MAX_SNOOZE_MIN}")
    return _do(_alert(alert_id), "snooze", {"snoozed_until_ms": context.now_ms() + minutes * 60_000})


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Entry of the function."""
    return app.resolve(event, lambda_context)


def _do(alert: dict[str, Any], action: str, changes: dict[str, Any]) -> Response[str]:
    """Note a deed with who and when."""
    note = str(body_in(app).get("note") or "")
    if len(note) > MAX_NOTE:
        raise BadRequestError(f"note has at most {MAX_NOTE} characters")
    key = key_in(app)
    deed = {"action": action, "who": caller_in(app).name, "at_ms": context.now_ms(), "note": note, **_told_of(changes)}
    if context.table().deed(alert, deed, changes, key or uuid4().hex, bool(key)):
        _to_lake(alert, deed)
    state = context.table().alert(alert["alert_id"]) or alert
    return Response(status_code=200, content_type="application/json", body=json.dumps(_shown(state)))


def _told_of(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key in ("assigned_to", "snoozed_until_ms")}


def _to_lake(alert: dict[str, Any], deed: dict[str, Any]) -> None:
    """Deeds go to the lake too, where time to acknowledge is counted."""
    stream = os.environ.get("ACTIONS_STREAM")
    if not stream:
        return
    row = {
        "alert_id": alert["alert_id"],
        "action": deed["action"],
        "who": deed["who"],
        "done_at": context.timestamp(deed["at_ms"]),
        "site": alert["site"],
        "note": deed["note"],
    }
    context.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": json.dumps(row).encode() + b"\n"})


def _alert(alert_id: str) -> dict[str, Any]:
    alert = context.table().alert(alert_id)
    if alert is None or not caller_in(app).may_see(alert["site"]):
        raise NotFoundError(f"no alert {alert_id}")
    return alert


def _start(text: str | None, site: str, status: str) -> dict[str, Any] | None:
    """Where a page begins; it must lie in the list that is asked for."""
    if not text:
        return None
    try:
        start = json.loads(text)
        if isinstance(start, dict) and start["site_status"] == f"{site}#{status}":
            return start
    except (ValueError, KeyError):
        pass
    raise BadRequestError("next is what an earlier page of this list gave")


def _shown(alert: dict[str, Any]) -> dict[str, Any]:
    """An alert for the outside."""
    hidden = ("pk", "sk", "site_status", "row", "expires_s")
    return {**json.loads(alert["row"]), **{k: v for k, v in alert.items() if k not in hidden}}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "row": json.loads(item["row"])} if "row" in item else item
