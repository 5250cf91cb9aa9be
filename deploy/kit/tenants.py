"""Names of tenants in tokens, records and document paths."""

from __future__ import annotations

import re

#: The tenant of tokens and records that name none.
DEFAULT_TENANT = "default"
# The same as in flink_job.tenants, which is not in the bundles of the alerting and query functions.
_TENANT = re.compile(r"[a-z0-9-]{1,32}")


def is_tenant(name: str) -> bool:
    """True for a valid tenant name: 1 to 32 of a-z, 0-9 and -."""
    return bool(_TENANT.fullmatch(name))
