"""Prices below a number of hours of use, the imported energy of a cycle divided by its peak of all hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flink_job.tariffs.demand_charges import is_low_use, peak_ukw
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.floors import FLAT
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import LowUse


def low_use(context: SegmentContext, rule: LowUse, highest: Mapping[str, Ints]) -> Ints:
    """Return True where the cycle so far has fewer hours of use, shape (n + 1,); `highest` are its peaks."""
    return is_low_use(rule.hours, context.imported(), peak_ukw(context.tariff, highest[FLAT]))


def at_low_use(context: SegmentContext) -> SegmentContext:
    """Return the context with the prices of low use."""
    tariff, divided = context.tariff.at_low_use(), context.divided
    if divided is not None:
        divided = replace(divided, context=replace(divided.context, tariff=tariff))
    return replace(context, tariff=tariff, divided=divided)
