"""Once a minute: what was put off or not taken is sent, digests go out, what nobody acknowledged is told again."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from deploy.kit.errors import reported
from deploy.kit.tenants import DEFAULT_TENANT

from . import context, metrics
from .dispatcher import send_due
from .items import OPEN
from .limits import Breaker
from .routes import Recipient, Routes

logger = Logger(service="sweeper")
#: Of the function's minute; a call that has begun may take some seconds more.
PATIENCE_S = 40.0


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Entry of the function."""
    routes = {tenant: context.routes(tenant) for tenant in context.table().tenants()}
    repeated = sum(len(_repeat(tenant)) for tenant in routes)
    send_due([r for found in routes.values() for r in found.recipients.values()], lambda_context, PATIENCE_S)
    _measure(routes)
    return {"duplicates": repeated}


def _repeat(tenant: str) -> set[str]:
    """Notices again of a tenant's open alerts that nobody has acknowledged; returns the names of their recipients."""
    table, outbox, now_ms = context.table(tenant), context.outbox(tenant), context.now_ms()
    repeated: set[str] = set()
    for site in table.sites():
        start = None
        while True:
            alerts, start = table.of_site(site, OPEN, start=start)
            repeated |= outbox.repeat(alerts, now_ms)
            if start is None:
                break
    return repeated


def _measure(routes: dict[str, Routes]) -> None:
    """How many tenants have nobody to send to, and how many recipients cannot be reached."""
    # The default tenant counts unless there are only others.
    tenants = [t for t in routes if t != DEFAULT_TENANT or len(routes) == 1 or context.table().sites()]
    mute = [tenant for tenant in tenants if not routes[tenant].reach_somebody]
    rejected = [tenant for tenant, found in routes.items() if found.fault]
    down = [r.name for found in routes.values() for r in found.recipients.values() if _is_down(r)]
    if mute:
        logger.warning("no recipients: alerts reach nobody", extra={"tenants": mute[:20]})
    if down:
        logger.warning("recipients that cannot be reached", extra={"recipients": down[:20]})
    metrics.count(metrics.NO_RECIPIENTS, len(mute))
    metrics.count(metrics.ROUTES_REJECTED, len(rejected))
    metrics.count(metrics.RECIPIENTS_DOWN, len(down))


def _is_down(recipient: Recipient) -> bool:
    if recipient.disabled:
        return True
    return Breaker(context.table(recipient.tenant), recipient).is_open(context.now_ms())
