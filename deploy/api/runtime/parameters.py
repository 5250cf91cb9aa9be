"""Parameters of the query API: checked by kind, then bound to the query library's SQL as Athena execution parameters.

The SQL is fixed. A caller's values reach it only as execution parameters, each validated and written as a literal.
Tenant and sites are never parameters: they come from the caller's token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from deploy.kit.athena import literal
from flink_job.lake.queries import LakeQuery, parameterised_queries

MAX_SITES = 50
LEVELS = ("meter", "line", "process", "factory")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
#: The queries that callers may run, by the name that they send as `question`.
QUERIES: Mapping[str, LakeQuery] = parameterised_queries()


class ParameterError(ValueError):
    """A parameter that is missing or invalid; the message names it and states the valid values."""


class Parameter(NamedTuple):
    """A parameter that a caller gives. `kind` is date, name or level; an optional one may be absent."""

    name: str
    kind: str
    doc: str
    optional: bool = False


PARAMETERS: Mapping[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter("from", "date", "First UTC date, YYYY-MM-DD"),
        Parameter("to", "date", "Last UTC date, YYYY-MM-DD, inclusive"),
        Parameter("site", "name", "One factory; all of your factories if absent", optional=True),
        Parameter("supply", "name", "One supply point", optional=True),
        Parameter("meter", "name", "One meter", optional=True),
        Parameter("level", "level", "meter, line, process or factory"),
        Parameter("entity", "name", "One meter, or the beginning of a site path", optional=True),
    )
}


def parameters_of(query: LakeQuery) -> list[Parameter]:
    """The parameters of a query, in the order of its header."""
    return [PARAMETERS[name] for name in query.conditions]


def described(query: LakeQuery) -> dict[str, Any]:
    """The description of a query for callers of the API."""
    parameters = [parameter._asdict() for parameter in parameters_of(query)]
    return {"doc": query.description, "parameters": parameters, "max_days": query.max_days}


def bind(query: LakeQuery, given: Mapping[str, Any], sites: Iterable[str] | None, tenant: str) -> tuple[str, list[str]]:
    """Return (SQL with `?`, its execution parameters in order). `sites` None means every site of the tenant.

    Raises ParameterError.
    """
    parameters = parameters_of(query)
    if unknown := set(given) - {parameter.name for parameter in parameters}:
        raise ParameterError(f"unknown parameter {', '.join(sorted(unknown))}")
    values = {p.name: _checked(p, given.get(p.name)) for p in parameters if p.name != "site"}
    _check_span(query, values)
    literals: list[str] = []

    def condition(found: re.Match[str]) -> str:
        name = found[1]
        if name == "sites":
            literals.append(literal(tenant))
            return f"tenant = ? AND {_site_filter(query.conditions['site'], sites, literals)}"
        if values[name] is None:
            return "TRUE"
        literals.append(literal(str(values[name])))
        return query.conditions[name]

    return re.sub(r"\{(\w+)\}", condition, query.sql), literals


def _site_filter(column: str, sites: Iterable[str] | None, literals: list[str]) -> str:
    """The condition on the site of a row; appends its values to `literals`. No site at all matches no row."""
    if sites is None:
        return "TRUE"
    chosen = sorted(sites)
    for site in chosen:
        if not _NAME.fullmatch(site):
            raise ParameterError("site must have 1 to 200 printable characters")
    if len(chosen) > MAX_SITES:
        raise ParameterError(f"name a site: you have access to {len(chosen)}, a query covers at most {MAX_SITES}")
    literals.extend(literal(site) for site in chosen)
    return f"{column} IN ({', '.join('?' * len(chosen))})" if chosen else "FALSE"


_KINDS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "name": (lambda text: bool(_NAME.fullmatch(text)), "have 1 to 200 printable characters"),
    "level": (lambda text: text in LEVELS, f"be one of {', '.join(LEVELS)}"),
}


def _checked(parameter: Parameter, given: Any) -> str | date | None:
    """The valid value of a parameter; None if it is optional and absent."""
    if given is None or given == "":
        if parameter.optional:
            return None
        raise ParameterError(f"{parameter.name} is missing: {parameter.doc}")
    if not isinstance(given, str):
        raise ParameterError(f"{parameter.name} must be a text: {parameter.doc}")
    if parameter.kind == "date":
        return _date(parameter.name, given)
    is_valid, requirement = _KINDS[parameter.kind]
    if not is_valid(given):
        raise ParameterError(f"{parameter.name} must {requirement}")
    return given


def _date(name: str, given: str) -> date:
    try:
        if len(given) == 10:
            return date.fromisoformat(given)
    except ValueError:
        pass
    raise ParameterError(f"{name} must be a date, YYYY-MM-DD")


def _check_span(query: LakeQuery, values: Mapping[str, Any]) -> None:
    first, last = values["from"], values["to"]
    if last < first:
        raise ParameterError("to is before from")
    if last - first >= timedelta(days=query.max_days):
        raise ParameterError(f"from and to span at most {query.max_days} days in this query")
