"""Bills by eeco, for comparison. Runs in the environment of its own (.venv-oracle), not in ours.

Reads {"tariff": rows, "months": [{"start", "end", "kw": [...]}]} as JSON on standard input; writes a list of {type of
charge: amount}, one a month.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pandas as pd
from eeco import costs

TYPES = ("customer", "energy", "demand")


def monthly(tariff: pd.DataFrame, month: dict[str, Any]) -> dict[str, float]:
    """Amounts of one month by type."""
    start, end = np.datetime64(month["start"]), np.datetime64(month["end"])
    charges = costs.get_charge_dict(start, end, tariff, resolution="15m")
    consumption = {"electric": np.array(month["kw"])}
    return {
        kind: float(costs.calculate_cost(charges, consumption, resolution="15m", desired_charge_type=kind)[0])
        for kind in TYPES
    }


if __name__ == "__main__":
    case = json.load(sys.stdin)
    rows = pd.DataFrame(case["tariff"])
    json.dump([monthly(rows, month) for month in case["months"]], sys.stdout)
