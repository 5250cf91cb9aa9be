"""Sweeper, once a minute: sends deferred and failed messages, digests, and reminders of unacknowledged alerts."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from deploy.kit.errors import reported
from deploy.kit.tenants import DEFAULT_TENANT

from . import context, metrics
from .dispatcher import dispatch_all
from .items import OPEN
from .limits import Breaker
from .routes import Recipient, Routes

logger = Logger(service="sweeper")
#: No message is started after this time; one that has been started may take some seconds more.
LIMIT_S = 40.0


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Lambda entry point."""
    routes = {tenant: context.routes(tenant) for tenant in context.table().tenants()}
    reminded = sum(len(_remind(tenant)) for tenant in routes)
    dispatch_all([r for found in routes.values() for r in found.recipients.values()], lambda_context, LIMIT_S)
    _measure(routes)
    return {"reminded": reminded}


def _remind(tenant: str) -> set[str]:
    """Store reminders of a tenant's unacknowledged alerts; return the names of their recipients."""
    table, outbox, now_ms = context.table(tenant), context.outbox(tenant), context.now_ms()
    reminded: set[str] = set()
    for site in table.sites():
        start = None
        while True:
            alerts, start = table.of_site(site, OPEN, start=start)
            reminded |= outbox.remind(alerts, now_ms)
            if start is None:
                break
    return reminded


def _measure(routes: dict[str, Routes]) -> None:
    """Write the metrics of tenants without recipients or with invalid routes, and of unreachable recipients."""
    # The default tenant counts unless all alerts are of other tenants.
    tenants = [t for t in routes if t != DEFAULT_TENANT or len(routes) == 1 or context.table().sites()]
    without = [tenant for tenant in tenants if not routes[tenant].have_recipients]
    rejected = [tenant for tenant, found in routes.items() if found.fault]
    down = [r.name for found in routes.values() for r in found.recipients.values() if _is_down(r)]
    if without:
        logger.warning("tenants without recipients: nobody is notified", extra={"tenants": without[:20]})
    if down:
        logger.warning("recipients cannot be reached", extra={"recipients": down[:20]})
    metrics.count(metrics.NO_RECIPIENTS, len(without))
    metrics.count(metrics.ROUTES_REJECTED, len(rejected))
    metrics.count(metrics.RECIPIENTS_DOWN, len(down))


def _is_down(recipient: Recipient) -> bool:
    if recipient.disabled:
        return True
    return Breaker(context.table(recipient.tenant), recipient).is_open(context.now_ms())
