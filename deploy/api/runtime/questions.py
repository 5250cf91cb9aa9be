"""The questions that may be asked, and how their parameters become Athena's.

SQL is fixed; what callers say reaches it only as execution parameters, each checked against its kind and written as a
literal. Which tenant and sites a question covers is never the caller's to say: they come from the token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

MAX_SITES = 50
LEVELS = ("meter", "line", "process", "factory")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class ParameterError(ValueError):
    """A parameter that cannot be used; the message names it and says what would be right."""


@dataclass(frozen=True)
class Parameter:
    """What a question asks back: `kind` is date, name or level. Optional ones are left out of the condition."""

    name: str
    kind: str
    doc: str
    optional: bool = False


@dataclass(frozen=True)
class Question:
    """A question. `{sites}` in the SQL is where tenant and sites go, `{name}` where a parameter's condition goes."""

    doc: str
    sql: str
    parameters: tuple[Parameter, ...]
    #: SQL of each condition, with a `?` for its value.
    conditions: Mapping[str, str]
    max_days: int = 366

    def described(self) -> dict[str, Any]:
        """For callers."""
        parameters = [vars(p) for p in self.parameters]
        return {"doc": self.doc, "parameters": parameters, "max_days": self.max_days}


_FROM = Parameter("from", "date", "First UTC date, YYYY-MM-DD")
_TO = Parameter("to", "date", "Last UTC date, YYYY-MM-DD, itself included")
_SITE = Parameter("site", "name", "One factory; without it all of yours", optional=True)
_METER = Parameter("meter", "name", "One meter", optional=True)
_LEVEL = Parameter("level", "level", "meter, line, process or factory")
_ENTITY = Parameter("entity", "name", "One meter or beginning of a site path", optional=True)
_DATES = {"from": "event_date >= ?", "to": "event_date <= ?"}
_ROWS = {"meter": "meter_id = ?"}
_KPI = {"level": "level = ?", "entity": "entity = ?"}

_KPI_SQL = """SELECT level, entity, window_start, currency, readings, expected_readings, energy_kwh, export_kwh,
  reactive_kvarh, cost, {power}
FROM {view}
WHERE {{from}} AND {{to}} AND {{sites}} AND {{level}} AND {{entity}}
ORDER BY window_start, entity"""

QUESTIONS: Mapping[str, Question] = {
    "costs": Question(
        "The cost of each reading.",
        """SELECT meter_id, interval_start, interval_s, revision, energy_kwh, export_kwh, tariff_id, tou_period,
  energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, currency, provisional, site_path
FROM costs
WHERE {from} AND {to} AND {sites} AND {meter}
ORDER BY meter_id, interval_start, revision""",
        (_FROM, _TO, _SITE, _METER),
        {**_DATES, **_ROWS, "sites": "split_part(site_path, '/', 1)"},
        max_days=31,
    ),
    "daily_costs": Question(
        "Energy and cost of each meter by UTC date.",
        """SELECT meter_id, event_date, currency, SUM(energy_kwh) AS energy_kwh, SUM(cost) AS cost,
  COUNT(*) AS readings
FROM costs
WHERE {from} AND {to} AND {sites} AND {meter}
GROUP BY meter_id, event_date, currency
ORDER BY event_date, meter_id""",
        (_FROM, _TO, _SITE, _METER),
        {**_DATES, **_ROWS, "sites": "split_part(site_path, '/', 1)"},
    ),
    "bills": Question(
        "The bill of each meter and cycle, with what re-rating added; cycles that begin between the dates.",
        """SELECT meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
  energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, adjustment
FROM bills
WHERE {from} AND {to} AND {sites} AND {meter}
ORDER BY cycle_start, meter_id""",
        (_FROM, _TO, _SITE, _METER),
        {"from": "cycle_start >= ?", "to": "cycle_start <= ?", **_ROWS, "sites": "site"},
    ),
    "quarter_hours": Question(
        "KPIs of quarter hours, by level.",
        _KPI_SQL.format(view="kpis_15m", power="mean_kw"),
        (_FROM, _TO, _SITE, _LEVEL, _ENTITY),
        {**_DATES, **_KPI, "sites": "site"},
        max_days=31,
    ),
    "hours": Question(
        "KPIs of hours, by level: demand, load factor, power factor.",
        _KPI_SQL.format(view="kpis_1h", power="min_kw, mean_kw, max_kw, completeness, load_factor, power_factor"),
        (_FROM, _TO, _SITE, _LEVEL, _ENTITY),
        {**_DATES, **_KPI, "sites": "site"},
        max_days=92,
    ),
    "alerts": Question(
        "Alerts with when they were told, over and acknowledged.",
        """SELECT alert_id, rule_id, title, entity, site_path, episode_start, notified_at, over_at, acknowledged_at,
  cost, flapping
FROM alert_episodes
WHERE {from} AND {to} AND {sites}
ORDER BY episode_start DESC, alert_id""",
        (_FROM, _TO, _SITE),
        {
            "from": "episode_start >= CAST(? AS DATE)",
            "to": "episode_start < CAST(? AS DATE) + INTERVAL '1' DAY",
            "sites": "site",
        },
    ),
}


def prepared(
    question: Question, given: Mapping[str, Any], sites: Iterable[str] | None, tenant: str
) -> tuple[str, list[str]]:
    """(SQL with `?`, Athena's execution parameters in their order). `sites` None is every site of the tenant.

    Raises ParameterError.
    """
    unknown = set(given) - {p.name for p in question.parameters}
    if unknown:
        raise ParameterError(f"unknown parameter {', '.join(sorted(unknown))}")
    values = {p.name: _value(p, given.get(p.name)) for p in question.parameters if p.name != "site"}
    _check_span(question, values)
    literals: list[str] = []

    def condition(found: re.Match[str]) -> str:
        name = found[1]
        if name == "sites":
            literals.append(literal(tenant))
            return f"tenant = ? AND {_sites(question.conditions['sites'], sites, literals)}"
        if values[name] is None:
            return "TRUE"
        literals.append(literal(str(values[name])))
        return question.conditions[name]

    return re.sub(r"\{(\w+)\}", condition, question.sql), literals


def literal(value: str) -> str:
    """A text as a SQL literal, which is what Athena takes execution parameters for."""
    return "'" + value.replace("'", "''") + "'"


def _sites(column: str, sites: Iterable[str] | None, literals: list[str]) -> str:
    if sites is None:
        return "TRUE"
    chosen = sorted(sites)
    for site in chosen:
        if not _NAME.fullmatch(site):
            raise ParameterError("site is 1 to 200 printable characters")
    if len(chosen) > MAX_SITES:
        raise ParameterError(f"name a site: you may see {len(chosen)}, a question covers at most {MAX_SITES}")
    literals.extend(literal(site) for site in chosen)
    return f"{column} IN ({', '.join('?' * len(chosen))})" if chosen else "FALSE"


_KINDS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "name": (lambda text: bool(_NAME.fullmatch(text)), "1 to 200 printable characters"),
    "level": (lambda text: text in LEVELS, ", ".join(LEVELS)),
}


def _value(parameter: Parameter, given: Any) -> str | date | None:
    if given is None or given == "":
        if parameter.optional:
            return None
        raise ParameterError(f"{parameter.name} is missing: {parameter.doc}")
    if not isinstance(given, str):
        raise ParameterError(f"{parameter.name} is a text: {parameter.doc}")
    if parameter.kind == "date":
        try:
            if len(given) == 10:
                return date.fromisoformat(given)
        except ValueError:
            pass
        raise ParameterError(f"{parameter.name} is a date, YYYY-MM-DD")
    is_right, right = _KINDS[parameter.kind]
    if not is_right(given):
        raise ParameterError(f"{parameter.name} is {right}")
    return given


def _check_span(question: Question, values: Mapping[str, Any]) -> None:
    first, last = values["from"], values["to"]
    if last < first:
        raise ParameterError("to lies before from")
    if last - first >= timedelta(days=question.max_days):
        raise ParameterError(f"from and to span at most {question.max_days} days in this question")
