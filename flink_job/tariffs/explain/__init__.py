"""Derivations of costs and bills: the terms of which the pricing functions make them, checked against the amounts."""

from flink_job.tariffs.explain.segment import bill_lines, change_lines, cost_lines
from flink_job.tariffs.explain.terms import Entry, Explanation, ExplanationError, Line, Term

__all__ = ["Entry", "Explanation", "ExplanationError", "Line", "Term", "bill_lines", "change_lines", "cost_lines"]
