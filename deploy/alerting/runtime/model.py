"""What travels through alerting: changes of alerts, recipients, notices, messages."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SEVERITIES = ("info", "minor", "major", "critical", "emergency")
ENDED = ("cleared", "latched")
LINE_DEPTH = 3


class RoutesError(ValueError):
    """A routes document that cannot be used; the message names the place."""


@dataclass(frozen=True)
class Change:
    """A row of the alerts stream. Times are epoch ms; `row` is the record as it came."""

    alert_id: str
    number: int
    state: str
    severity: str
    rule_id: str
    entity: str
    site_path: str
    tags: str
    event_ms: int
    historical: bool
    muted: bool
    inhibited_by: tuple[str, ...]
    row: dict[str, Any]

    @property
    def site(self) -> str:
        """The factory: who may see the alert is decided by it."""
        return self.site_path.split("/")[0]

    @property
    def line(self) -> str:
        """Site and line, by which notices are put together."""
        return "/".join(self.site_path.split("/")[:LINE_DEPTH])

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


def read_change(data: bytes) -> Change:
    """The change in a record of the alerts stream. Raises ValueError or KeyError."""
    row = json.loads(data)
    return Change(
        row["alert_id"],
        int(row["change_number"]),
        row["state"],
        row["severity"],
        row["rule_id"],
        row["entity"],
        row["site_path"],
        row["tags"] or "",
        to_ms(row["event_time"]),
        bool(row["historical"]),
        bool(row["muted"]),
        tuple(name for name in (row["inhibited_by"] or "").split(",") if name),
        row,
    )


def to_ms(text: str) -> int:
    """Epoch ms of a SQL timestamp in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Recipient:
    """Somebody, or something, that is told. One of `sns` (topic ARN), `sqs` (queue URL), `webhook` (URL, with the
    `secret` that it is signed with: better the ARN of one in Secrets Manager).

    `tokens` messages may go out at once, one more every `refill_s`; what is over that is told in a digest. The notices
    of a line within `group_s` after a message go into one. An alert nobody acknowledged is told again every
    `repeat_s`.
    """

    name: str
    sns: str = ""
    sqs: str = ""
    webhook: str = ""
    secret: str = field(default="", repr=False)
    tokens: int = 20
    refill_s: int = 60
    group_s: int = 60
    repeat_s: int = 14_400


@dataclass(frozen=True)
class Route:
    """Alerts of a site (shell pattern on the site path), from a severity on, to recipients."""

    site: str
    to: tuple[str, ...]
    min_severity: str = "info"


@dataclass(frozen=True)
class Routes:
    """Who is told what. `link` is the beginning of an alert's address."""

    recipients: dict[str, Recipient]
    routes: tuple[Route, ...]
    link: str = ""

    def of(self, change: Change) -> list[Recipient]:
        """Whom a change concerns, each once."""
        rank = SEVERITIES.index(change.severity)
        names = [
            name
            for route in self.routes
            if covers(route.site, change.site_path) and rank >= SEVERITIES.index(route.min_severity)
            for name in route.to
        ]
        return [self.recipients[name] for name in dict.fromkeys(names)]


def covers(pattern: str, site_path: str) -> bool:
    """True where a site path lies in what a shell pattern names; `factory/*` names the factory too."""
    return fnmatch.fnmatchcase(site_path, pattern) or fnmatch.fnmatchcase(f"{site_path}/", pattern)


def read_routes(text: str | bytes) -> Routes:
    """The routes in a JSON document. Raises RoutesError."""
    try:
        document = json.loads(text)
        recipients = {name: Recipient(name, **given) for name, given in document["recipients"].items()}
        routes = tuple(Route(**{**given, "to": tuple(given["to"])}) for given in document["routes"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RoutesError(f"routes: {error}") from None
    for recipient in recipients.values():
        if sum(map(bool, (recipient.sns, recipient.sqs, recipient.webhook))) != 1:
            raise RoutesError(f"recipient {recipient.name!r} needs exactly one of sns, sqs, webhook")
        if recipient.webhook and not recipient.secret:
            raise RoutesError(f"recipient {recipient.name!r}: a webhook needs a secret to sign with")
        if min(recipient.tokens, recipient.refill_s, recipient.repeat_s) < 1 or recipient.group_s < 0:
            raise RoutesError(f"recipient {recipient.name!r}: tokens, refill_s and repeat_s are at least 1")
    for route in routes:
        if route.min_severity not in SEVERITIES:
            raise RoutesError(f"route {route.site!r}: min_severity is one of {', '.join(SEVERITIES)}")
        if unknown := set(route.to) - recipients.keys():
            raise RoutesError(f"route {route.site!r}: no recipient {', '.join(sorted(unknown))}")
    return Routes(recipients, routes, document.get("link", ""))
