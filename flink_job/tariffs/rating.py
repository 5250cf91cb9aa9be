"""The cost of a billing cycle and of each of its readings: integers of 1e-6 currency ("micro").

Let B(state) be the bill of a cycle as a function of its accumulated state. A reading costs B(after) - B(before), each
rounded to a micro, so the costs of a cycle's readings add up to B(final), in any order of arrival. Fixed charges accrue
with time instead: a reading costs F(interval end) - F(interval start).

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.charges import (
    demand_amount,
    energy_amount,
    energy_in_order,
    export_amount,
    fixed_amount,
    tax_amount,
    zeros,
)
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.state import Basis, Charges, State


def marginal(
    tariff: Tariff,
    basis: Basis,
    before: State,
    after: State,
    interval_ms: tuple[NDArray[np.int64], NDArray[np.int64]],
    counts_time: NDArray[np.bool_],
) -> Charges:
    """Return the cost of each reading by charge.

    `before`, `after`: accumulators before and after the reading. `interval_ms`: (start, end) of the readings, over
    which fixed charges accrue if `counts_time` is true, which it is for the first record of an interval only.
    """
    energy_before, energy_after = _energy_pair(tariff, basis, before, after)
    export_before, export_after = export_amount(tariff, before), export_amount(tariff, after)
    demand_before, demand_after = demand_amount(tariff, basis, before), demand_amount(tariff, basis, after)
    start_ms, end_ms = interval_ms
    fixed_before = fixed_amount(tariff, basis, start_ms)
    fixed_after = np.where(counts_time, fixed_amount(tariff, basis, end_ms), fixed_before)
    tax: Ints = (
        tax_amount(tariff, energy=energy_after, demand=demand_after, export=export_after)
        - tax_amount(tariff, energy=energy_before, demand=demand_before, export=export_before)
        + tax_amount(tariff, fixed=fixed_after)
        - tax_amount(tariff, fixed=fixed_before)
    )
    return Charges(
        energy_after - energy_before,
        demand_after - demand_before,
        fixed_after - fixed_before,
        export_after - export_before,
        tax,
    )


def bill(tariff: Tariff, basis: Basis, state: State, until_ms: NDArray[np.int64]) -> Charges:
    """Return the bill of a billing segment, with fixed charges from the start of the cycle until `until_ms`."""
    energy, demand, export = (
        energy_amount(tariff, basis, state),
        demand_amount(tariff, basis, state),
        export_amount(tariff, state),
    )
    fixed = fixed_amount(tariff, basis, until_ms)
    tax = tax_amount(tariff, energy=energy, demand=demand, export=export) + tax_amount(tariff, fixed=fixed)
    return Charges(energy, demand, fixed, export, tax)


def _energy_pair(tariff: Tariff, basis: Basis, before: State, after: State) -> tuple[Ints, Ints]:
    if not tariff.depends_on_order:
        return energy_amount(tariff, basis, before), energy_amount(tariff, basis, after)
    return zeros(basis), energy_in_order(tariff, basis, before, after)
