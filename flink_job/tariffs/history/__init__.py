"""Rating a meter's whole history in event-time order: the exact form of every rule, with no limit of accumulators.

The stream prices what it can in order of arrival; this is what its rows are compared with, and what rates readings
without Flink.
"""

from flink_job.tariffs.cycle import CycleError
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.rate import Bill, History, rate_history
from flink_job.tariffs.history.segments import Agreement, InForce, Terms, versions_in_force

__all__ = [
    "Agreement",
    "Bill",
    "CycleError",
    "History",
    "InForce",
    "Intervals",
    "Terms",
    "rate_history",
    "versions_in_force",
]
