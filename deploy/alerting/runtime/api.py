"""The API of alerts: list, look at, acknowledge, assign, comment, snooze. Every deed is noted with who and when.

Behind API Gateway (HTTP API) with a JWT authorizer: claims come verified. Viewers read, operators act. Alerts of other
tenants, and of sites that are not the caller's, do not exist for the caller. `Idempotency-Key` makes a deed safe to
send again.
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
from .items import ENDED, LATCHED, OPEN

logger = Logger(service="alerts-api")
app = APIGatewayHttpResolver()
answer_refusals(app)
MAX_NOTE = 2000
MAX_SNOOZE_MIN = 7 * 24 * 60
STATUSES = (OPEN, LATCHED, ENDED)
_NEXT = re.compile(r"(\d{1,15})\.([^\x00-\x1f]{1,200})")


@app.get("/alerts")
def list_alerts() -> dict[str, Any]:
    """Alerts of the caller's sites, newest first: `?site=...&status=open|latched|ended&next=...`."""
    caller, status = caller_in(app, VIEWER), query_in(app, "status") or OPEN
    if status not in STATUSES:
        raise BadRequestError(f"status is one of {', '.join(STATUSES)}")
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
    """Take note: it is not told again; a latched alert is over."""
    caller = caller_in(app, OPERATOR)
    alert, now_ms = _alert(alert_id, caller), context.now_ms()
    who = {"acknowledged_by": caller.name, "acknowledged_by_subject": caller.subject}
    changes: dict[str, Any] = {**who, "acknowledged_ms": now_ms}
    if alert["status"] == LATCHED:
        place = context.table(caller.tenant).place(alert["site"], ENDED)
        changes |= {"status": ENDED, "site_status": place, "ended_ms": now_ms}
    return _do(caller, alert, "ack", changes)


@app.post("/alerts/<alert_id>/assign")
def assign(alert_id: str) -> Response[str]:
    """Give it to somebody: `{"to": ...}`."""
    caller, to = caller_in(app, OPERATOR), body_in(app).get("to")
    if not isinstance(to, str) or not 0 < len(to) <= MAX_NAME:
        raise BadRequestError(f"to names somebody, in at most {MAX_NAME} characters")
    return _do(caller, _alert(alert_id, caller), "assign", {"assigned_to": to})


@app.post("/alerts/<alert_id>/comment")
def comment(alert_id: str) -> Response[str]:
    """Say something: `{"note": ...}`."""
    caller = caller_in(app, OPERATOR)
    if not _note():
        raise BadRequestError("note is empty")
    return _do(caller, _alert(alert_id, caller), "comment", {})


@app.post("/alerts/<alert_id>/snooze")
def snooze(alert_id: str) -> Response[str]:
    """Not to be told for a while: `{"minutes": ...}`, 0 to end it."""
    caller, minutes = caller_in(app, OPERATOR), body_in(app).get("minutes")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MAX_SNOOZE_MIN:
        raise BadRequestError(f"minutes is a whole number from 0 to {MAX_SNOOZE_MIN}")
    until_ms = context.now_ms() + minutes * 60_000
    return _do(caller, _alert(alert_id, caller), "snooze", {"snoozed_until_ms": until_ms})


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Entry of the function."""
    return app.resolve(event, lambda_context)


def _do(caller: Caller, alert: dict[str, Any], action: str, changes: dict[str, Any]) -> Response[str]:
    """Note a deed with who and when. A key is its sender's: nobody can use up another's."""
    key, table = key_in(app), context.table(caller.tenant)
    who = {"who": caller.name, "subject": caller.subject}
    deed = {"action": action, **who, "at_ms": context.now_ms(), "note": _note(), **_told_of(changes)}
    deed_id = hashlib.sha256(f"{caller.subject}\0{key}".encode()).hexdigest()[:32] if key else uuid4().hex
    if table.deed(alert, deed, changes, deed_id, bool(key)):
        _to_lake(caller, alert, deed)
    elif (table.get(alert["pk"], f"D#{deed_id}") or {}).get("action") != action:
        raise ServiceError(409, "Idempotency-Key was used for another action")
    state = table.alert(alert["alert_id"]) or alert
    return Response(status_code=200, content_type="application/json", body=json.dumps(_shown(state)))


def _note() -> str:
    note = body_in(app).get("note") or ""
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        raise BadRequestError(f"note has at most {MAX_NOTE} characters")
    return note


def _told_of(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key in ("assigned_to", "snoozed_until_ms")}


def _to_lake(caller: Caller, alert: dict[str, Any], deed: dict[str, Any]) -> None:
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
        "subject": deed["subject"],
        "tenant": caller.tenant,
    }
    context.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": json.dumps(row).encode() + b"\n"})


def _alert(alert_id: str, caller: Caller) -> dict[str, Any]:
    is_id = len(alert_id) <= MAX_NAME and is_text(alert_id)
    alert = context.table(caller.tenant).alert(alert_id) if is_id else None
    if alert is None or not caller.may_see(alert["site"]):
        raise NotFoundError(f"no alert {alert_id[:MAX_NAME]}")
    return alert


def _start(text: str) -> tuple[int, str] | None:
    """Where a page begins."""
    if not text:
        return None
    if found := _NEXT.fullmatch(text):
        return int(found[1]), found[2]
    raise BadRequestError("next is what an earlier page of this list gave")


def _shown(alert: dict[str, Any]) -> dict[str, Any]:
    """An alert for the outside."""
    hidden = ("pk", "sk", "site_status", "row", "expires_s")
    return {**json.loads(alert["row"]), **{k: v for k, v in alert.items() if k not in hidden}}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "row": json.loads(item["row"])} if "row" in item else item
