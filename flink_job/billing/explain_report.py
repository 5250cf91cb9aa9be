"""Explanations as text, JSON and HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from html import escape
from importlib.resources import files
from typing import Any

from flink_job.tariffs.explain import Entry, Explanation, Line

_DECIMALS = 9
_UNIT = Decimal(1).scaleb(-_DECIMALS)
_FORMATS = ("text", "json", "html")


def decimal(value: Fraction) -> Decimal:
    """Return a number with at most 9 decimals; amounts are rounded so that shown entries add up as shown."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(_UNIT, ROUND_HALF_EVEN)


def number(value: Fraction | Decimal, least: int = 0) -> str:
    """Format a number with thousands separators and no more decimals than it has, but at least `least`."""
    whole, _, digits = f"{value if isinstance(value, Decimal) else decimal(value):,f}".partition(".")
    digits = digits.rstrip("0").ljust(least, "0")
    return f"{whole}.{digits}" if digits else whole


def money(micro: int) -> str:
    """Format an amount [1e-6 currency], with as many decimals as it has, at least two."""
    return number(Decimal(micro).scaleb(-6), 2)


def rounding_of(line: Line) -> Decimal:
    """Return the amount of a line minus its entries as shown."""
    return Decimal(line.amount).scaleb(-6) - sum((decimal(entry.amount) for entry in line.entries), Decimal(0))


def product(entry: Entry, currency: str) -> str:
    """Return quantity x price x factor of an entry as text; empty if it has none."""
    quantity, price, term = entry.quantity, entry.price, entry.term
    if quantity is None or price is None:
        return ""
    if term.unit:
        of = f"{number(quantity)} {term.unit} × {number(price)} {currency}/{term.per or term.unit}"
    else:  # a tax: a share of a base
        of = f"{number(quantity)} {currency} × {number(price * 100)} %"
    return f"{of} × {term.factor_note}" if term.factor_note else of


def change(entry: Entry) -> str:
    """Return the quantity before and after, if the entry continues one; else empty."""
    before, after = entry.before, entry.after
    if before is None or before.quantity is None or not before.quantity or after is None or after.quantity is None:
        return ""
    return f"{number(before.quantity)} → {number(after.quantity)} {after.unit}".rstrip()


def as_text(explanations: Sequence[Explanation]) -> str:
    """Return explanations as text for a terminal."""
    return "\n\n".join("\n".join(_text(each)) for each in explanations)


def _text(explanation: Explanation) -> Iterator[str]:
    currency = explanation.currency
    yield f"{explanation.title}: {money(explanation.amount)} {currency}"
    yield from (f"  {name}: {value}" for name, value in explanation.facts.items())
    shows_state = bool(explanation.before)
    for line in explanation.lines:
        if not line.amount and not line.entries:
            continue
        yield ""
        state = f"  (bill: {money(line.before)} → {money(line.after)})" if shows_state else ""
        yield f"{line.name:<40} {money(line.amount):>18}{state}"
        for entry in line.entries:
            yield f"  {entry.label:<38} {number(decimal(entry.amount), 2):>18}  = {product(entry, currency)}".rstrip(
                " ="
            )
            if text := "; ".join(filter(None, (change(entry), entry.term.note))):
                yield f"      {text}"
        if rounding := rounding_of(line):
            yield f"  {'rounding':<38} {number(rounding, 2):>18}"
    yield ""
    yield f"{'sum':<40} {money(explanation.amount):>18} {currency}"
    if shows_state:
        yield f"bill before {money(explanation.before)}, after {money(explanation.after)} {currency}"
    yield from explanation.notes


def as_json(explanations: Sequence[Explanation]) -> str:
    """Return explanations as a JSON list; numbers are decimal strings."""
    return json.dumps([_document(each) for each in explanations], indent=1, ensure_ascii=False)


def _document(explanation: Explanation) -> dict[str, Any]:
    return {
        "title": explanation.title,
        "currency": explanation.currency,
        "amount": _plain(Decimal(explanation.amount).scaleb(-6)),
        "bill_before": _plain(Decimal(explanation.before).scaleb(-6)),
        "bill_after": _plain(Decimal(explanation.after).scaleb(-6)),
        "facts": dict(explanation.facts),
        "lines": [_line(line) for line in explanation.lines if line.amount or line.entries],
        "notes": list(explanation.notes),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "line": line.name,
        "amount": _plain(Decimal(line.amount).scaleb(-6)),
        "bill_before": _plain(Decimal(line.before).scaleb(-6)),
        "bill_after": _plain(Decimal(line.after).scaleb(-6)),
        "entries": [_entry(entry) for entry in line.entries],
        "rounding": _plain(rounding_of(line)),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    term = entry.term
    found: dict[str, Any] = {"label": entry.label, "amount": _plain(decimal(entry.amount))}
    if entry.quantity is not None:
        found |= {"quantity": _plain(decimal(entry.quantity)), "unit": term.unit or "currency"}
    if entry.price is not None:
        found["price"] = _plain(decimal(entry.price))
    if entry.before is not None and entry.before.quantity is not None:
        found["quantity_before"] = _plain(decimal(entry.before.quantity))
    found |= {key: value for key, value in (("factor", term.factor_note), ("note", term.note)) if value}
    return found


def _plain(value: Decimal) -> str:
    return number(value).replace(",", "")


def as_html(explanations: Sequence[Explanation]) -> str:
    """Return explanations as one page without references to other files."""
    template = (files(__package__) / "explain.html").read_text(encoding="utf-8")
    title = escape(explanations[0].title)
    return template.replace("{{title}}", title).replace("{{body}}", "".join(map(_section, explanations)))


def _section(explanation: Explanation) -> str:
    currency = explanation.currency
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in explanation.facts.items())
    rows = "".join(_rows(line, currency) for line in explanation.lines if line.amount or line.entries)
    state = ""
    if explanation.before:
        state = f"<p>Bill before {money(explanation.before)}, after {money(explanation.after)} {escape(currency)}.</p>"
    notes = "".join(f"<p class='note'>{escape(text)}</p>" for text in explanation.notes)
    return (
        f"<section><h1>{escape(explanation.title)}</h1>"
        f"<p class='sum'>{money(explanation.amount)} {escape(currency)}</p><dl>{facts}</dl>"
        f"<table><thead><tr><th>charge</th><th>derivation</th><th>amount [{escape(currency)}]</th></tr></thead>"
        f"<tbody>{rows}<tr class='total'><th>sum</th><td></td><td>{money(explanation.amount)}</td></tr></tbody></table>"
        f"{state}{notes}</section>"
    )


def _rows(line: Line, currency: str) -> str:
    state = f"bill {money(line.before)} → {money(line.after)}" if line.before else ""
    rows = [f"<tr class='line'><th>{escape(line.name)}</th><td>{state}</td><td>{money(line.amount)}</td></tr>"]
    for entry in line.entries:
        details = "; ".join(filter(None, (change(entry), entry.term.note)))
        small = f"<small>{escape(details)}</small>" if details else ""
        shown = f"{escape(product(entry, currency))}{small}"
        amount = number(decimal(entry.amount), 2)
        rows.append(f"<tr><td>{escape(entry.label)}</td><td>{shown}</td><td>{amount}</td></tr>")
    if rounding := rounding_of(line):
        rows.append(f"<tr><td>rounding</td><td></td><td>{number(rounding, 2)}</td></tr>")
    return "".join(rows)
