"""Names of tenants, as tokens, records and places of documents have them."""

from __future__ import annotations

import re

#: The tenant of whatever names none.
DEFAULT_TENANT = "default"
# The same as flink_job.tenants, which functions of alerting and queries do not bring along.
_TENANT = re.compile(r"[a-z0-9-]{1,32}")


def is_tenant(name: str) -> bool:
    """True for what can be the name of a tenant."""
    return bool(_TENANT.fullmatch(name))
