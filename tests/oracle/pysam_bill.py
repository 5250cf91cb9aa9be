"""Bills by NREL's PySAM, for comparison. Runs in the environment of its own (.venv-oracle), not in ours.

Reads cases as JSON on standard input: a list of {"urdb": document, "load_kw": [...], "generation_kw": [...],
"rates": {further inputs}}; 8760 x n values a year from 1 January, which PySAM takes for a Monday. Writes a list of
{charge: twelve monthly amounts}.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sys
from typing import Any

import PySAM.Utilityrate5 as utilityrate5
from PySAM.UtilityRateTools import URDBv8_to_ElectricityRates

LINES = {
    "energy": "year1_monthly_ec_charge_with_system",
    "energy_gross": "year1_monthly_ec_charge_gross_with_system",
    "demand_flat": "year1_monthly_dc_fixed_with_system",
    "demand_periods": "year1_monthly_dc_tou_with_system",
    "fixed": "year1_monthly_fixed_with_system",
    "minimum": "year1_monthly_minimum_with_system",
    "total": "year1_monthly_utility_bill_w_sys",
    "banked_kwh": "year1_monthly_cumulative_excess_generation",
}


def monthly(case: dict[str, Any]) -> dict[str, list[float]]:
    """The twelve monthly amounts of each line."""
    model = utilityrate5.new()
    # The converter changes the document it is given.
    rates = URDBv8_to_ElectricityRates(copy.deepcopy(case["urdb"]))
    for name, value in ({"ur_yearzero_usage_peaks": [0.0] * 12} | rates | case.get("rates", {})).items():
        setattr(model.ElectricityRates, name, value)
    load, generation = case["load_kw"], case.get("generation_kw") or [0.0] * len(case["load_kw"])
    model.ElectricityRates.rate_escalation = [0.0]
    model.Load.load = load
    model.SystemOutput.gen = generation
    model.SystemOutput.degradation = [0.0]
    model.Lifetime.analysis_period = 1
    model.Lifetime.inflation_rate = 0.0
    model.Lifetime.system_use_lifetime_output = 0
    model.execute()
    return {line: list(getattr(model.Outputs, name)) for line, name in LINES.items()}


if __name__ == "__main__":
    # PySAM prints notices; standard output is for the answer alone.
    answer = os.fdopen(os.dup(1), "w")
    with contextlib.redirect_stdout(sys.stderr):
        results = [monthly(case) for case in json.load(sys.stdin)]
    json.dump(results, answer)
    answer.close()
