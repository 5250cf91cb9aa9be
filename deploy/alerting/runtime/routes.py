"""Recipients and routes of a tenant: who is notified of which alerts, from the tenant's routes document."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.kit.documents import DocumentError, read_document
from deploy.kit.tenants import DEFAULT_TENANT

from .model import SEVERITIES, Change
from .webhook import WebhookError, checked_url

MAX_DOCUMENT = 262_144
#: A change and its notifications are one transaction of at most 100 steps, which limits the recipients.
MAX_RECIPIENTS, MAX_ROUTES, MAX_TEXT = 90, 1000, 2048
#: Name of the recipient and of the site of the smoke check after a deployment.
CHECK = "smoke-check"
#: Minimum and maximum of each number.
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "tokens": (1, 1_000_000),
    "refill_s": (1, 86_400),
    "group_s": (0, 86_400),
    "repeat_s": (1, 31_536_000),
    "per_hour": (1, 1_000_000),
    "per_day": (1, 10_000_000),
}
_TEXTS = ("sns", "sqs", "webhook", "secret")


class RoutesError(ValueError):
    """An invalid routes document; the message names the recipient or route and the valid values."""


@dataclass(frozen=True)
class Recipient:
    """A recipient of messages, with exactly one channel and its limits.

    Channels: `sns` (topic ARN), `sqs` (queue URL) or `webhook` (URL, signed with `secret`: the ARN of a secret in
    Secrets Manager, or the secret itself). `tokens` messages may be sent in a burst, one more every `refill_s`; further
    notifications are held back for a digest. Notifications of a line within `group_s` after a message are grouped into
    one. Reminders of an alert that nobody acknowledged are sent every `repeat_s`. `per_hour` and `per_day` limit all
    messages, including emergencies. `disabled` is the reason why nothing can be sent; notifications wait meanwhile.
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
    per_hour: int = 300
    per_day: int = 3000
    tenant: str = DEFAULT_TENANT
    disabled: str = ""


@dataclass(frozen=True)
class Route:
    """Alerts with a site path that matches the shell pattern `site`, of at least `min_severity`, to recipients."""

    site: str
    to: tuple[str, ...]
    min_severity: str = "info"


@dataclass(frozen=True)
class Routes:
    """Recipients by name, and routes. `link` is the beginning of an alert's URL.

    `fault` is the reason why the current document is not in force; then these are the last valid routes.
    """

    recipients: dict[str, Recipient]
    routes: tuple[Route, ...]
    link: str = ""
    fault: str = ""

    @property
    def have_recipients(self) -> bool:
        """True if a route names a recipient."""
        return any(route.to for route in self.routes)

    def of(self, change: Change) -> list[Recipient]:
        """The recipients of a change, each once. Alerts of the smoke check go to the check's recipient only."""
        if CHECK in self.recipients and change.site == CHECK:
            return [self.recipients[CHECK]]
        rank = SEVERITIES.index(change.severity)
        names = [
            name
            for route in self.routes
            if covers(route.site, change.site_path) and rank >= SEVERITIES.index(route.min_severity)
            for name in route.to
        ]
        return [self.recipients[name] for name in dict.fromkeys(names)]


#: The routes of a new deployment: nobody is notified, and a metric reports that.
NOBODY = Routes({}, ())


def covers(pattern: str, site_path: str) -> bool:
    """True if a site path matches a shell pattern; `factory/*` matches the factory itself too."""
    return fnmatch.fnmatchcase(site_path, pattern) or fnmatch.fnmatchcase(f"{site_path}/", pattern)


def read_routes(content: str | bytes, tenant: str = DEFAULT_TENANT, allow_local: bool = False) -> Routes:
    """Parse a routes document (JSON) of a tenant. `allow_local`: local webhooks, for tests. Raises RoutesError."""
    try:
        document = read_document(content, MAX_DOCUMENT)
    except DocumentError as error:
        raise RoutesError(f"routes: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("recipients"), dict):
        raise RoutesError("routes: must be a JSON object with recipients (an object) and routes (a list)")
    given, link = document.get("routes"), document.get("link", "")
    if not isinstance(given, list) or not isinstance(link, str) or len(link) > MAX_TEXT:
        raise RoutesError("routes: routes must be a list and link a text")
    if len(document["recipients"]) > MAX_RECIPIENTS or len(given) > MAX_ROUTES:
        raise RoutesError(f"routes: at most {MAX_RECIPIENTS} recipients and {MAX_ROUTES} routes")
    recipients = {name: _recipient(name, entry, tenant, allow_local) for name, entry in document["recipients"].items()}
    return Routes(recipients, tuple(_route(entry, recipients) for entry in given), link)


def _recipient(name: str, entry: Any, tenant: str, allow_local: bool) -> Recipient:
    place = f"recipient {name[:80]!r}"
    if not isinstance(entry, dict) or not 0 < len(name) <= 200 or name == CHECK:
        raise RoutesError(f"{place}: must be an object, with a name of at most 200 characters other than {CHECK!r}")
    if unknown := entry.keys() - {*_TEXTS, *_NUMBERS}:
        raise RoutesError(f"{place}: unknown field {', '.join(sorted(unknown))[:200]}")
    for key in _TEXTS:
        if not isinstance(entry.get(key, ""), str) or len(entry.get(key, "")) > MAX_TEXT:
            raise RoutesError(f"{place}: {key} must be a text of at most {MAX_TEXT} characters")
    for key, (least, most) in _NUMBERS.items():
        number = entry.get(key, least)
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise RoutesError(f"{place}: {key} must be a whole number, at least {least} and at most {most}")
    recipient = Recipient(name, tenant=tenant, **entry)
    if sum(map(bool, (recipient.sns, recipient.sqs, recipient.webhook))) != 1:
        raise RoutesError(f"{place} needs exactly one of sns, sqs, webhook")
    if recipient.webhook and not recipient.secret:
        raise RoutesError(f"{place}: a webhook needs a secret to sign with")
    try:
        if recipient.webhook:
            checked_url(recipient.webhook, allow_local)
    except WebhookError as error:
        raise RoutesError(f"{place}: {error}") from None
    return recipient


def _route(entry: Any, recipients: Mapping[str, Recipient]) -> Route:
    if not isinstance(entry, dict) or entry.keys() - {"site", "to", "min_severity"}:
        raise RoutesError("routes: a route must be an object with site, to and optionally min_severity")
    site, to, severity = entry.get("site"), entry.get("to"), entry.get("min_severity", "info")
    if not isinstance(site, str) or not 0 < len(site) <= MAX_TEXT:
        raise RoutesError("routes: site of a route must be a pattern for site paths")
    if not isinstance(to, list) or not all(isinstance(name, str) for name in to):
        raise RoutesError(f"route {site[:80]!r}: to must be a list of names of recipients")
    if severity not in SEVERITIES:
        raise RoutesError(f"route {site[:80]!r}: min_severity must be one of {', '.join(SEVERITIES)}")
    if unknown := set(to) - recipients.keys():
        raise RoutesError(f"route {site[:80]!r}: no recipient {', '.join(sorted(unknown))[:200]}")
    return Route(site, tuple(dict.fromkeys(to)), severity)
