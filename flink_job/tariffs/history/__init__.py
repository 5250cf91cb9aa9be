"""Exact rating of the whole history of a meter in event-time order, with all tariff rules and no accumulator limits.

It is used for settlement of the stream, which prices in order of arrival, and for rating files without Flink.
"""

from flink_job.tariffs.cycle import CycleError
from flink_job.tariffs.history.demand import count_straddling
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.rate import Bill, History, rate_history, rated_segments
from flink_job.tariffs.history.segments import BillingTerms, InForce, TariffInForce, versions_in_force

__all__ = [
    "Bill",
    "BillingTerms",
    "CycleError",
    "History",
    "InForce",
    "Intervals",
    "TariffInForce",
    "count_straddling",
    "rate_history",
    "rated_segments",
    "versions_in_force",
]
