"""Periods of Spanish tariffs by GISCE's enerdata, for comparison. Runs in .venv-oracle.

Writes {tariff: {zone number: periods of every hour of the year given as argument}} as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta

from enerdata.contracts.tariff import get_tariff_by_code

if __name__ == "__main__":
    year = int(sys.argv[1])
    hours = [datetime(year, 1, 1) + timedelta(hours=n) for n in range(8760)]
    found: dict[str, dict[str, list[str]]] = {}
    for code in ("2.0TD", "3.0TD", "6.1TD"):
        tariff = get_tariff_by_code(code)()
        for zone in "12345":
            for period in tariff.periods:
                period.geom_zone = zone
            periods = [tariff.get_period_by_date(hour).code for hour in hours]
            found.setdefault(code, {})[zone] = periods
    json.dump(found, sys.stdout)
