"""The highest power that a meter can measure: a step of a register beyond it is no energy."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from flink_job.metering.contract import Contract
from flink_job.metering.units import to_micro

#: Of a contract without any power, before its multiplier [kW].
DEFAULT_KW = Decimal(10_000)
#: Multiple of the contracted power, which may be exceeded.
CONTRACTED_TIMES = 10
#: Power of one kWh in a quarter hour, the step of a register without decimals [kW].
_STEP_KW = 4


def highest_power_uw(stated_kw: Decimal | None, contracted_kw: Iterable[Decimal], multiplier: Decimal) -> int:
    """Return the highest power [1e-6 kW]: as stated, or ten times the highest contracted power, or 10 MW x multiplier.

    It is never less than one kWh of the register in a quarter hour.
    """
    contracted = max(contracted_kw, default=Decimal(0))
    found = stated_kw or contracted * CONTRACTED_TIMES or DEFAULT_KW * max(multiplier, Decimal(1))
    return to_micro(max(found, _STEP_KW * multiplier))


def highest_power_of(contract: Contract) -> int:
    """Return the highest power of the meter of a contract [1e-6 kW]."""
    contracted = [kw for assignment in contract.assignments for kw in assignment.contracted_kw.values()]
    multipliers = [contract.multiplier, *(change.multiplier or Decimal(1) for change in contract.changes)]
    return highest_power_uw(contract.max_power_kw, contracted, max(multipliers))
