"""Alerts API: list and show alerts; acknowledge, assign, comment, snooze and close them, as a recorded user.

Runs behind API Gateway (HTTP API) with a JWT authorizer, so the claims are verified. Viewers read, operators act. For
alerts of other tenants, and of sites without access, the caller gets 404. With `Idempotency-Key` an action can be
repeated safely.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import (
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    ServiceError,
)

from deploy.kit.access import MAX_NAME, OPERATOR, VIEWER, Caller, answer_refusals, body_in, caller_in, key_in, query_in
from deploy.kit.documents import is_text
from deploy.kit.errors import reported

from . import context
from .closing import closed_state, closing_steps
from .items import ENDED, KEEP_ENDED_S, LATCHED, OPEN

logger = Logger(service="alerts-api")
app = APIGatewayHttpResolver()
answer_refusals(app)
MAX_NOTE = 2000
MAX_SNOOZE_MIN = 7 * 24 * 60
STATUSES = (OPEN, LATCHED, ENDED)
#: Changes of the state that are recorded with the action.
RECORDED_CHANGES = ("assigned_to", "snoozed_until_ms")
_NEXT = re.compile(r"(\d{1,15})\.([^\x00-\x1f]{1,200})")


@app.get("/alerts")
def list_alerts() -> dict[str, Any]:
    """Alerts of the caller's sites, latest first: `?site=...&status=open|latched|ended&next=...`."""
    caller, status = caller_in(app, VIEWER), query_in(app, "status") or OPEN
    if status not in STATUSES:
        raise BadRequestError(f"status must be one of {', '.join(STATUSES)}")
    table = context.table(caller.tenant)
    if site := query_in(app, "site"):
        if not caller.may_see(site):
            raise ForbiddenError(f"no access to site {site}")
        alerts, following = table.of_site(site, status, start=_start(query_in(app, "next", 300)))
        after = f"{following[0]}.{following[1]}" if following else None
        return {"alerts": [_shown(a) for a in alerts], "next": after}
    sites = [site for site in table.sites() if caller.may_see(site)]
    found = [alert for site in sites for alert in table.of_site(site, status)[0]]
    found.sort(key=lambda alert: alert["raised_ms"], reverse=True)
    return {"alerts": [_shown(a) for a in found[:100]], "next": None}


@app.get("/alerts/<alert_id>")
def show_alert(alert_id: str) -> dict[str, Any]:
    """One alert with its history."""
    caller = caller_in(app, VIEWER)
    alert, items = _alert(alert_id, caller), context.table(caller.tenant).history(alert_id)
    history = [{k: v for k, v in item.items() if k not in ("pk", "sk")} for item in items]
    return {**_shown(alert), "history": [_event(item) for item in history]}


@app.post("/alerts/<alert_id>/ack")
def acknowledge(alert_id: str) -> Response[str]:
    """Acknowledge an alert: its reminders stop, and a latched alert ends."""
    caller = caller_in(app, OPERATOR)
    alert, now_ms = _alert(alert_id, caller), context.now_ms()
    who = {"acknowledged_by": caller.name, "acknowledged_by_subject": caller.subject}
    changes: dict[str, Any] = {**who, "acknowledged_ms": now_ms}
    if alert["status"] == LATCHED:
        key = context.table(caller.tenant).site_status_key(alert["site"], ENDED)
        changes |= {"status": ENDED, "site_status": key, "ended_ms": now_ms}
        changes["expires_s"] = now_ms // 1000 + KEEP_ENDED_S
    return _act(caller, alert, "ack", changes)


@app.post("/alerts/<alert_id>/assign")
def assign(alert_id: str) -> Response[str]:
    """Assign an alert to a person: `{"to": ...}`."""
    caller, to = caller_in(app, OPERATOR), body_in(app).get("to")
    if not isinstance(to, str) or not 0 < len(to) <= MAX_NAME:
        raise BadRequestError(f"to must be a name of at most {MAX_NAME} characters")
    return _act(caller, _alert(alert_id, caller), "assign", {"assigned_to": to})


@app.post("/alerts/<alert_id>/comment")
def comment(alert_id: str) -> Response[str]:
    """Comment on an alert: `{"note": ...}`."""
    caller = caller_in(app, OPERATOR)
    if not _note():
        raise BadRequestError("note must not be empty")
    return _act(caller, _alert(alert_id, caller), "comment", {})


@app.post("/alerts/<alert_id>/snooze")
def snooze(alert_id: str) -> Response[str]:
    """Snooze the notifications of an alert: `{"minutes": ...}`, 0 to end the snooze."""
    caller, minutes = caller_in(app, OPERATOR), body_in(app).get("minutes")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MAX_SNOOZE_MIN:
        raise BadRequestError(f"minutes must be a whole number from 0 to {MAX_SNOOZE_MIN}")
    until_ms = context.now_ms() + minutes * 60_000
    return _act(caller, _alert(alert_id, caller), "snooze", {"snoozed_until_ms": until_ms})


@app.post("/alerts/<alert_id>/close")
def close(alert_id: str) -> Response[str]:
    """Close an alert by hand: `{"note": why}`. One that has ended stays as it is."""
    caller, note, now_ms = caller_in(app, OPERATOR), _note(), context.now_ms()
    if not note.strip():
        raise BadRequestError("note must say why the alert is closed")
    alert, table = _alert(alert_id, caller), context.table(caller.tenant)
    if alert["status"] == ENDED:
        return _answer(alert)
    changes = closed_state(table, alert, caller.name, caller.subject, now_ms)
    return _act(caller, alert, "close", changes, closing_steps(table, alert, caller.name, note, now_ms))


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Lambda entry point."""
    return app.resolve(event, lambda_context)


def _act(
    caller: Caller, alert: dict[str, Any], name: str, changes: dict[str, Any], more: list[dict[str, Any]] | None = None
) -> Response[str]:
    """Record an action and the state that it changes. An Idempotency-Key is valid for its caller only.

    `more` are further steps of the transaction.
    """
    key, table = key_in(app), context.table(caller.tenant)
    action = {
        "action": name,
        "who": caller.name,
        "subject": caller.subject,
        "at_ms": context.now_ms(),
        "note": _note(),
        **{field: value for field, value in changes.items() if field in RECORDED_CHANGES},
    }
    action_id = hashlib.sha256(f"{caller.subject}\0{key}".encode()).hexdigest()[:32] if key else uuid4().hex
    is_recorded = table.record_action(alert, action, changes, action_id, bool(key), more or [])
    state = table.alert(alert["alert_id"]) or alert
    if is_recorded:
        _to_lake(caller, alert, action)
    elif "status" in changes and state["status"] not in (alert["status"], ENDED):
        raise ServiceError(409, "the alert has changed in the meantime: repeat the request")
    elif state["status"] == alert["status"] and (table.recorded_action(alert, action_id) or {}).get("action") != name:
        raise ServiceError(409, "Idempotency-Key was already used for a different action: send a new key")
    return _answer(state)


def _answer(alert: dict[str, Any]) -> Response[str]:
    return Response(status_code=200, content_type="application/json", body=json.dumps(_shown(alert)))


def _note() -> str:
    note = body_in(app).get("note") or ""
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        raise BadRequestError(f"note must be a text of at most {MAX_NOTE} characters")
    return note


def _to_lake(caller: Caller, alert: dict[str, Any], action: dict[str, Any]) -> None:
    """Send an action to the lake's table `alert_actions`, from which the time to acknowledge is derived."""
    stream = os.environ.get("ACTIONS_STREAM")
    if not stream:
        return
    row = {
        "alert_id": alert["alert_id"],
        "action": action["action"],
        "who": action["who"],
        "done_at": context.timestamp(action["at_ms"]),
        "site": alert["site"],
        "note": action["note"],
        "subject": action["subject"],
        "tenant": caller.tenant,
    }
    context.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": json.dumps(row).encode() + b"\n"})


def _alert(alert_id: str, caller: Caller) -> dict[str, Any]:
    """The state of an alert that the caller may see. Raises NotFoundError."""
    is_id = len(alert_id) <= MAX_NAME and is_text(alert_id)
    alert = context.table(caller.tenant).alert(alert_id) if is_id else None
    if alert is None or not caller.may_see(alert["site"]):
        raise NotFoundError(f"no alert {alert_id[:MAX_NAME]}")
    return alert


def _start(text: str) -> tuple[int, str] | None:
    """Parse the cursor of a page: (time at which the last alert was raised, its id); None for the first page."""
    if not text:
        return None
    if found := _NEXT.fullmatch(text):
        return int(found[1]), found[2]
    raise BadRequestError("next must be the cursor of an earlier page of this list")


def _shown(alert: dict[str, Any]) -> dict[str, Any]:
    """The fields of an alert that the API returns."""
    hidden = ("pk", "sk", "site_status", "row", "expires_s")
    return {**json.loads(alert["row"]), **{k: v for k, v in alert.items() if k not in hidden}}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "row": json.loads(item["row"])} if "row" in item else item
