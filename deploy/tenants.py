"""Names of tenants, as tokens, records and places of documents have them."""

from __future__ import annotations

import re

#: The tenant of whatever names none.
DEFAULT_TENANT = "default"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def is_tenant(name: str) -> bool:
    """True for what can be the name of a tenant."""
    return bool(_TENANT.fullmatch(name))
