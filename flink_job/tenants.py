"""Tenants: customers that share a deployment and whose data are isolated from each other.

Inside the dataflow the names of meters, site paths, tariffs and alert entities, by which state is keyed, are qualified:
`tenant` U+001F `name`, or the plain name for the tenant `default`. The outputs have the tenant in a separate column.
"""

from __future__ import annotations

import re

#: Tenant of records and documents that do not name one.
DEFAULT = "default"
#: Separates the tenant from the name. Names in input may not contain it.
SEPARATOR = "\x1f"
#: Separators inside names of the dataflow: after a tenant, between the parts of a heartbeat, after the site of a tag.
SEPARATORS = "\x1d\x1e\x1f"
#: Separates the tenant from the rest of the name of an IoT thing: `acme:meter-17`.
THING_SEPARATOR = ":"
RIGHT = "1 to 32 of a-z, 0-9 and -"
_TENANT = re.compile(r"[a-z0-9-]{1,32}")


def is_tenant(name: str) -> bool:
    """Return whether `name` is a valid name of a tenant."""
    return _TENANT.fullmatch(name) is not None


def qualified(tenant: str, name: str) -> str:
    """Return the name qualified by its tenant, as used in the dataflow."""
    return name if tenant == DEFAULT else f"{tenant}{SEPARATOR}{name}"


def split(name: str) -> tuple[str, str]:
    """Return (tenant, plain name) of a qualified name."""
    tenant, separator, plain = name.partition(SEPARATOR)
    return (tenant, plain) if separator else (DEFAULT, name)


def plain(name: str) -> str:
    """Return a qualified name without its tenant."""
    return name.partition(SEPARATOR)[2] or name


def tenant_of(name: str) -> str:
    """Return the tenant of a qualified name."""
    return split(name)[0]
