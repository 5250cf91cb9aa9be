"""Who may see what: an authorised caller's name and sites, from the claims of the token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ALL_SITES = "*"


@dataclass(frozen=True)
class Caller:
    """Somebody with a verified token. `sites` are factories; `*` is all of them. `subject` never changes."""

    name: str
    sites: frozenset[str]
    subject: str = ""

    def may_see(self, site: str) -> bool:
        return bool(site) and (ALL_SITES in self.sites or site in self.sites)


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller of verified claims: `custom:sites` names the sites, separated by commas. No claim, no site."""
    name = str(claims.get("email") or claims.get("username") or claims.get("sub") or "unknown")
    sites = str(claims.get("custom:sites") or "")
    return Caller(
        name, frozenset(site.strip() for site in sites.split(",") if site.strip()), str(claims.get("sub") or name)
    )
