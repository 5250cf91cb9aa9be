"""Tenants: customers that share the deployment and nothing else.

A tenant is part of every name by which the job keeps state. Inside the dataflow a meter, a site path, a tariff or an
alert's entity of a tenant is one string, `tenant` U+001F `name`; names of the tenant `default` stay as they are. The
outputs have the tenant in a column of its own.
"""

from __future__ import annotations

import re

#: The tenant of everything that names none.
DEFAULT = "default"
#: Between the tenant and the name. No name that comes from outside may hold it.
SEPARATOR = "\x1f"
#: What separates names in the dataflow: the tenant, the parts of a mark, the site of a tag.
SEPARATORS = "\x1d\x1e\x1f"
#: Ends the tenant in the name of an IoT thing: `acme:meter-17`.
THING_SEPARATOR = ":"
RIGHT = "1 to 32 of a-z, 0-9 and -"
_TENANT = re.compile(r"[a-z0-9-]{1,32}")


def is_tenant(name: str) -> bool:
    """True for what may be the name of a tenant."""
    return _TENANT.fullmatch(name) is not None


def qualified(tenant: str, name: str) -> str:
    """The name as the dataflow knows it."""
    return name if tenant == DEFAULT else f"{tenant}{SEPARATOR}{name}"


def split(name: str) -> tuple[str, str]:
    """(tenant, plain name) of a qualified name."""
    tenant, separator, plain = name.partition(SEPARATOR)
    return (tenant, plain) if separator else (DEFAULT, name)


def plain(name: str) -> str:
    """A qualified name without its tenant."""
    return name.partition(SEPARATOR)[2] or name


def tenant_of(name: str) -> str:
    """The tenant of a qualified name."""
    return split(name)[0]
