"""Numbers as texts, and quantities in units of 1e-6."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flink_job.imports.questions import Questions
from flink_job.metering.units import MEASURED_CHANNELS, MICRO, to_micro

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
_SAMPLE = 5000
#: Largest quantity of which a float has six decimals.
LARGEST = 1e9
#: Factor to kWh or kvarh of an energy, and of a power over one hour.
ENERGY = {"Wh": "0.001", "kWh": "1", "MWh": "1000", "GWh": "1000000", "varh": "0.001", "kvarh": "1", "Mvarh": "1000"}
POWER = {"W": "0.001", "kW": "1", "MW": "1000", "var": "0.001", "kvar": "1", "Mvar": "1000"}
UNITS = {unit.lower(): unit for unit in (*ENERGY, *POWER, *MEASURED_CHANNELS.values())} | {
    "kva": "",
    "°c": "degC",
    "kvar": "kvar",
    "kvarh": "kvarh",
    "mwh": "MWh",
}


def decimal_of(texts: Any, questions: Questions, column: str) -> str:
    """Return the decimal sign of a column; asks if 1.234 may be one or a thousand."""
    sample = [text.strip() for text in texts.slice(0, _SAMPLE).to_pylist() if text]
    marked = [text for text in sample if "," in text or "." in text]
    for sign, other in ((",", "."), (".", ",")):
        if any(re.search(rf"\{other}\d{{3}}\{sign}", text) for text in marked):
            return sign
        single = rf"[+-]?(0|\d*)\{sign}(\d{{1,2}}|\d{{4,}})|[+-]?0\{sign}\d*|[+-]?\d{{4,}}\{sign}\d*"
        if any(re.fullmatch(single, text) for text in marked):
            return sign
    grouped = [text for text in marked if re.fullmatch(r"[+-]?\d{1,3}([.,]\d{3})+", text)]
    if grouped:
        questions.ask(
            f"column {column!r}: {grouped[0]!r} is a number of two readings: decimals or thousands",
            "--decimal . or --decimal ,",
        )
    return "."


def numbers_of(texts: Any, decimal: str) -> tuple[Any, Any, Any]:
    """Return (numbers, cell is empty, cell is no number) of a column of texts."""
    texts = pc.utf8_trim_whitespace(texts)
    other = "," if decimal == "." else "."
    grouped = pc.match_substring_regex(texts, rf"^[+-]?\d{{1,3}}(\{other}\d{{3}})+(\{decimal}\d+)?$")
    texts = pc.if_else(grouped, pc.replace_substring(texts, other, ""), texts)
    texts = pc.if_else(pc.match_substring(texts, other), "?", texts)
    if decimal == ",":
        texts = pc.replace_substring(texts, ",", ".")
    empty = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    valid = pc.match_substring_regex(texts, _NUMBER)
    plain = pc.replace_substring_regex(pc.if_else(valid, texts, "0"), r"^\+", "")
    numbers = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)
    return numbers, empty, ~valid.to_numpy(zero_copy_only=False) & ~empty


def unit_of(text: str) -> str:
    """Return the unit that a text states, or an empty text."""
    return UNITS.get(text.strip().strip("[]()").lower(), "")


def unit_in(header: str) -> str:
    """Return the unit in the name of a column, such as `Usage (kWh)` or `Active_kW`; empty if there is none."""
    for word in reversed(re.split(r"[\s_()\[\]/:.,;\"-]+", header)):
        if (found := unit_of(word)) in ENERGY or found in POWER:
            return found
    return ""


def micro_of(numbers: Any, unit: str, interval_s: Any) -> Any:
    """Return quantities in 1e-6 kWh or kvarh, rounded half to even; power is energy over the interval."""
    if unit in ENERGY:
        return _rounded(numbers, Decimal(ENERGY[unit]) * MICRO, np.ones(len(numbers), dtype=np.int64), 1)
    return _rounded(numbers, Decimal(POWER[unit]) * MICRO, interval_s, 3600)


def _rounded(numbers: Any, factor: Decimal, multiplier: Any, divisor: int) -> Any:
    """Return numbers x factor x multiplier / divisor; what lies between two units is computed with decimals."""
    scaled = numbers * float(factor) * multiplier / divisor
    result = np.rint(scaled)
    close = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) < 1e-3
    for row in np.flatnonzero(close):
        exact = Decimal(repr(float(numbers[row]))) * factor * int(multiplier[row]) / divisor
        result[row] = to_micro(exact / MICRO)
    return result.astype(np.int64)
