"""The cells of a column of values: numbers, units, channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flink_job.imports.columns import codes_of
from flink_job.imports.model import Cell, FileError, Quantity
from flink_job.imports.numbers import POWER, decimal_of, micro_of, numbers_of, unit_in, unit_of
from flink_job.imports.questions import Questions
from flink_job.imports.rows import Rows
from flink_job.metering.units import BILLED_CHANNELS, MEASURED_CHANNELS


def part_of(rows: Rows, column: str, quantity: Quantity, codes: Any, meters: list[str], interval: Any) -> pd.DataFrame:
    """Return the cells of a column: line, meter, channel, micro, and whether the cell was taken."""
    sheet = rows.sheet
    texts = sheet.columns[column]
    decimal = rows.map.csv.decimal or _decimal(rows, texts, column)
    numbers, empty, wrong = numbers_of(texts, decimal)
    rows.refuse(wrong, sheet.lines, f"no_number in {column}", texts)
    channel_codes, channels = codes_of(quantity.channel, sheet, rows.name)
    known = np.array([channel in BILLED_CHANNELS or channel in MEASURED_CHANNELS for channel in channels])
    other = ~known[channel_codes]
    rows.refuse(other & ~empty, sheet.lines, "unknown_channel")
    micro, bad = _quantities(rows, column, quantity, channels[0], numbers, interval)
    rows.refuse(bad & ~empty & ~wrong, sheet.lines, "out_of_range", texts)
    if isinstance(rows.map.meter_id, Cell) and rows.map.meter_id.columns:
        names = np.array([column], dtype=object)
        codes = np.zeros(len(texts), dtype=np.int64)
    else:
        names = np.array(meters, dtype=object)
    unnamed = np.array([not name for name in names], dtype=bool)[codes]
    rows.refuse(unnamed & ~empty & (len(names) > 1), sheet.lines, "no_meter")
    return pd.DataFrame(
        {
            "line": sheet.lines,
            "meter": pd.Categorical.from_codes(codes, names) if len(set(names)) == len(names) else names[codes],
            "channel": pd.Categorical.from_codes(channel_codes, channels)
            if len(set(channels)) == len(channels)
            else np.array(channels, dtype=object)[channel_codes],
            "micro": micro,
            "taken": ~(empty | wrong | other | bad | (unnamed & (len(names) > 1))),
            "estimated": False,
            "from_zero": quantity.from_zero,
        }
    )


def _quantities(
    rows: Rows, column: str, quantity: Quantity, channel: str, numbers: Any, interval: Any
) -> tuple[Any, Any]:
    """Return quantities in 1e-6 of the unit of the channel, and cells out of range."""
    unit_codes, units = codes_of(quantity.unit or rows.sheet.said.get("unit", ""), rows.sheet, rows.name)
    micro = np.zeros(len(numbers), dtype=np.int64)
    bad = np.abs(numbers) >= 1e15
    numbers = np.where(bad, 0, numbers)
    for code, text in enumerate(units):
        mask = unit_codes == code
        if channel in MEASURED_CHANNELS:
            micro[mask] = np.rint(numbers[mask] * 1e6).astype(np.int64)
            continue
        unit = unit_of(text) if text else unit_in(column)
        if not unit or unit in MEASURED_CHANNELS.values():
            named_as = f" {text!r}" if text else ""
            rows.questions.ask(f"column {column!r} has no unit{named_as} of energy or power", "--unit kWh, Wh, kW or W")
            continue
        if quantity.kind == "register" and unit in POWER:
            raise FileError(f"{rows.name}: column {column!r} is a register, which cannot be in {unit}")
        known = rows.said.get("unit", "").split(", ")
        rows.said["unit"] = ", ".join(dict.fromkeys([*filter(None, known), unit]))
        limit = np.abs(numbers) * 1e-3 >= 1e12
        bad |= mask & limit
        micro[mask & ~bad] = micro_of(numbers[mask & ~bad], unit, interval[mask & ~bad])
    return micro, bad


def _decimal(rows: Rows, texts: Any, column: str) -> str:
    """Return the decimal sign; in a file that separates cells by commas, and in JSON, a point is the decimal sign."""
    trial = Questions(rows.name)
    sign = decimal_of(texts, trial, column)
    if rows.sheet.said.get("separator", "','") == "','":
        return sign
    rows.questions.asked |= trial.asked
    return sign
