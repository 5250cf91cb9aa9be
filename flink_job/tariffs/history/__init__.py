"""Rating a meter's whole history in event-time order: the exact form of every rule, with no limit of accumulators.

The stream prices what it can in order of arrival; this is what its rows are compared with, and what rates readings
without Flink.
"""

from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.cycle import CycleError
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.power import ContractedPowerError
from flink_job.tariffs.history.rate import Bill, History, MissingSeriesError, rate_history
from flink_job.tariffs.history.segments import Agreement, InForce, Terms, versions_in_force
from flink_job.tariffs.prices import PriceError

#: Why readings cannot be rated by a tariff: what to mend is in the message.
RATING_ERRORS = (CycleError, CalendarError, ContractedPowerError, MissingSeriesError, PriceError)

__all__ = [
    "RATING_ERRORS",
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
