"""The terms of a bill line: quantity x price = amount, and their difference between two states of a bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from flink_job.errors import MeteringError

MICRO = 1_000_000
E9 = 1_000_000_000
#: Every rounding of the engine is to 1e-6 currency; a line of few terms has fewer than these.
_ROUNDINGS = 8


class ExplanationError(MeteringError, ValueError):
    """A cost or bill that cannot be explained: it is unknown, or its terms do not add up to it."""


@dataclass(frozen=True)
class Term:
    """A term of a bill line. `amount` [currency] is quantity x price x factor, as the pricing functions compute it.

    `unit`: of the quantity. `per`: what the price is for, such as `kWh`; empty for the unit. `factor`: share of the
    price that is charged, with its reason in `factor_note`. `note`: how the quantity came about.
    """

    label: str
    amount: Fraction
    quantity: Fraction | None = None
    unit: str = ""
    price: Fraction | None = None
    factor: Fraction = Fraction(1)
    factor_note: str = ""
    note: str = ""
    per: str = ""

    @staticmethod
    def product(label: str, quantity: Fraction, unit: str, price: Fraction, **others: object) -> Term:
        """Return a term whose amount is quantity x price x factor."""
        factor = others.get("factor", Fraction(1))
        assert isinstance(factor, Fraction)
        return Term(label, quantity * price * factor, quantity, unit, price, **others)  # type: ignore[arg-type]


Terms = Mapping[str, Term]
"""Terms of a line by key, in the order of the line."""


@dataclass(frozen=True)
class Entry:
    """The addition of a term between two states of a bill; `before` or `after` is None if it has no such term."""

    label: str
    amount: Fraction
    before: Term | None
    after: Term | None

    @property
    def term(self) -> Term:
        """The term as it is after, or as it was before if it is gone."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def quantity(self) -> Fraction | None:
        """The quantity that was added."""
        if self.term.quantity is None:
            return None
        old = self.before.quantity if self.before is not None and self.before.quantity is not None else Fraction(0)
        new = self.after.quantity if self.after is not None and self.after.quantity is not None else Fraction(0)
        return new - old

    @property
    def price(self) -> Fraction | None:
        """The price of the quantity; a mean price if the quantity has several, None if both states differ in it."""
        before, after = self.before, self.after
        if before is None or after is None or before.price == after.price:
            return self.term.price
        mean = self.quantity
        return self.amount / (mean * self.term.factor) if mean and self.term.label.startswith(SERIES) else None


#: Beginning of the labels of terms that have one price for each interval.
SERIES = "price series"


@dataclass(frozen=True)
class Line:
    """A line of a bill or cost: its entries and rounding add up to `amount` [1e-6 currency].

    `before`, `after`: the line of the bill in both states [1e-6 currency].
    """

    name: str
    entries: Sequence[Entry]
    before: int
    after: int
    line_decimals: int

    @property
    def amount(self) -> int:
        """The addition of the line [1e-6 currency]."""
        return self.after - self.before

    @property
    def rounding(self) -> Fraction:
        """The amount minus its entries [currency]."""
        return Fraction(self.amount, MICRO) - sum((entry.amount for entry in self.entries), Fraction(0))


@dataclass(frozen=True)
class Explanation:
    """The derivation of a cost or a bill. `facts`: what it is about, by name. `lines` in the order of a bill."""

    title: str
    currency: str
    facts: Mapping[str, str]
    lines: Sequence[Line]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def amount(self) -> int:
        """Sum of the lines [1e-6 currency]."""
        return sum(line.amount for line in self.lines)

    @property
    def before(self) -> int:
        """The bill before [1e-6 currency]."""
        return sum(line.before for line in self.lines)

    @property
    def after(self) -> int:
        """The bill after [1e-6 currency]."""
        return sum(line.after for line in self.lines)

    def check(self, stored: Mapping[str, int]) -> Explanation:
        """Return itself if it adds up to the stored lines [1e-6 currency]. Raises ExplanationError with the difference.

        The entries of a line may differ from it by the roundings of the tariff and of the engine, and by no more.
        """
        for line in self.lines:
            if line.amount != stored.get(line.name, 0):
                difference = Fraction(stored.get(line.name, 0) - line.amount, MICRO)
                raise ExplanationError(
                    f"{self.title}: {line.name} is stored with {float(difference):+.6f} {self.currency} more than its "
                    "derivation; the tariff, contract or readings are not those of the stored amount"
                )
            allowed = Fraction(10) ** -line.line_decimals + Fraction(_ROUNDINGS + len(line.entries), MICRO)
            if abs(line.rounding) > allowed:
                raise ExplanationError(
                    f"{self.title}: the entries of {line.name} differ by {float(line.rounding):+.6f} {self.currency} "
                    "from the line, more than rounding explains"
                )
        return self


def differences(before: Terms, after: Terms) -> list[Entry]:
    """Return what each term adds between two states; terms that add nothing to a line are left out."""
    entries = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        amount = (new.amount if new else Fraction(0)) - (old.amount if old else Fraction(0))
        entry = Entry((new or old or Term("", amount)).label, amount, old, new)
        if amount or entry.quantity:
            entries.append(entry)
    return entries


def micro(amount: int) -> Fraction:
    """Return a quantity or an amount of 1e-6 as a fraction of its unit."""
    return Fraction(int(amount), MICRO)


def e9(price: int) -> Fraction:
    """Return a price of 1e-9 as a fraction of its unit."""
    return Fraction(int(price), E9)
