"""Who receives what: recipients and routes of a tenant, from a document that people write."""

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
#: A change and its notices are one transaction, of at most 100 steps.
MAX_RECIPIENTS, MAX_ROUTES, MAX_TEXT = 90, 1000, 2048
#: The recipient and the site of the check after a deployment.
CHECK = "smoke-check"
#: Lowest and highest value of each number.
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
    """A routes document that cannot be used; the message names the place."""


@dataclass(frozen=True)
class Recipient:
    """Somebody, or something, that gets messages. One of `sns` (topic ARN), `sqs` (queue URL), `webhook` (URL, with the
    `secret` that it is signed with: better the ARN of one in Secrets Manager).

    `tokens` messages may go out at once, one more every `refill_s`; what is over that goes into a digest. The notices
    of a line within `group_s` after a message go into one. An alert nobody acknowledged is sent again every
    `repeat_s`. `per_hour` and `per_day` bound all messages, those of emergencies too. `disabled` says why nothing can
    be sent; notices wait meanwhile.
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
    """Alerts of a site (shell pattern on the site path), from a severity on, to recipients."""

    site: str
    to: tuple[str, ...]
    min_severity: str = "info"


@dataclass(frozen=True)
class Routes:
    """Who receives what. `link` is the beginning of an alert's address. `fault` says why these are not the routes of
    the present document.
    """

    recipients: dict[str, Recipient]
    routes: tuple[Route, ...]
    link: str = ""
    fault: str = ""

    @property
    def reach_somebody(self) -> bool:
        """True when a route leads to a recipient."""
        return any(route.to for route in self.routes)

    def of(self, change: Change) -> list[Recipient]:
        """Whom a change concerns, each once. What the check after a deployment sends is for the check alone."""
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


#: What a deployment begins with: nobody receives anything, and a metric says so.
NOBODY = Routes({}, ())


def covers(pattern: str, site_path: str) -> bool:
    """True where a site path lies in what a shell pattern names; `factory/*` names the factory too."""
    return fnmatch.fnmatchcase(site_path, pattern) or fnmatch.fnmatchcase(f"{site_path}/", pattern)


def read_routes(content: str | bytes, tenant: str = DEFAULT_TENANT, allow_local: bool = False) -> Routes:
    """The routes in a JSON document of a tenant. `allow_local` permits webhooks of tests. Raises RoutesError."""
    try:
        document = read_document(content, MAX_DOCUMENT)
    except DocumentError as error:
        raise RoutesError(f"routes: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("recipients"), dict):
        raise RoutesError("routes: a JSON object with recipients (an object) and routes (a list)")
    given, link = document.get("routes"), document.get("link", "")
    if not isinstance(given, list) or not isinstance(link, str) or len(link) > MAX_TEXT:
        raise RoutesError("routes: routes is a list, link a text")
    if len(document["recipients"]) > MAX_RECIPIENTS or len(given) > MAX_ROUTES:
        raise RoutesError(f"routes: at most {MAX_RECIPIENTS} recipients and {MAX_ROUTES} routes")
    recipients = {name: _recipient(name, said, tenant, allow_local) for name, said in document["recipients"].items()}
    return Routes(recipients, tuple(_route(said, recipients) for said in given), link)


def _recipient(name: str, said: Any, tenant: str, allow_local: bool) -> Recipient:
    place = f"recipient {name[:80]!r}"
    if not isinstance(said, dict) or not 0 < len(name) <= 200 or name == CHECK:
        raise RoutesError(f"{place}: a name of at most 200 characters, not {CHECK!r}, with an object")
    if unknown := said.keys() - {*_TEXTS, *_NUMBERS}:
        raise RoutesError(f"{place}: unknown field {', '.join(sorted(unknown))[:200]}")
    for key in _TEXTS:
        if not isinstance(said.get(key, ""), str) or len(said.get(key, "")) > MAX_TEXT:
            raise RoutesError(f"{place}: {key} is a text of at most {MAX_TEXT} characters")
    for key, (least, most) in _NUMBERS.items():
        number = said.get(key, least)
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise RoutesError(f"{place}: {key} is at least {least} and at most {most}")
    recipient = Recipient(name, tenant=tenant, **said)
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


def _route(said: Any, recipients: Mapping[str, Recipient]) -> Route:
    if not isinstance(said, dict) or said.keys() - {"site", "to", "min_severity"}:
        raise RoutesError("routes: a route has site, to and min_severity")
    site, to, severity = said.get("site"), said.get("to"), said.get("min_severity", "info")
    if not isinstance(site, str) or not 0 < len(site) <= MAX_TEXT:
        raise RoutesError("routes: site of a route is a pattern on the site path")
    if not isinstance(to, list) or not all(isinstance(name, str) for name in to):
        raise RoutesError(f"route {site[:80]!r}: to is a list of names of recipients")
    if severity not in SEVERITIES:
        raise RoutesError(f"route {site[:80]!r}: min_severity is one of {', '.join(SEVERITIES)}")
    if unknown := set(to) - recipients.keys():
        raise RoutesError(f"route {site[:80]!r}: no recipient {', '.join(sorted(unknown))[:200]}")
    return Route(site, tuple(dict.fromkeys(to)), severity)
