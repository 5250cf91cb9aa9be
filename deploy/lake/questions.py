"""Questions that analysts begin with, saved in Athena; they run on the local lake as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A saved query. `id` names it in the template."""

    id: str
    title: str
    description: str
    sql: str


QUESTIONS = (
    Question(
        "BillsOfMonth",
        "Bills by meter and cycle",
        "What each billing cycle costs, with what re-rating added; rows add up to the bill to the last digit.",
        """SELECT meter_id, cycle_start, tariff_id, currency, SUM(energy_kwh) AS energy_kwh, SUM(cost) AS cost,
  SUM(adjustment) AS adjustment
FROM bills
GROUP BY meter_id, cycle_start, tariff_id, currency
ORDER BY cycle_start DESC, cost DESC
LIMIT 1000""",
    ),
    Question(
        "CostOfDay",
        "Cost of each site by day",
        "Cost and energy of each factory by UTC date. The condition on event_date keeps the scan small.",
        """SELECT event_date, split_part(site_path, '/', 1) AS factory, currency, SUM(energy_kwh) AS energy_kwh,
  SUM(cost) AS cost
FROM costs
WHERE event_date >= '2026-01-01'
GROUP BY event_date, split_part(site_path, '/', 1), currency
ORDER BY event_date DESC, cost DESC
LIMIT 1000""",
    ),
    Question(
        "Account",
        "Every record accounted for",
        "Records by outcome and date of arrival: costed, duplicate, rejected or waiting. A record is in exactly one.",
        """SELECT outcome, arrived, COUNT(*) AS records
FROM (
  SELECT 'costed' AS outcome, CAST(arrival AS DATE) AS arrived FROM costs
  UNION ALL SELECT 'duplicates', CAST(arrival AS DATE) FROM duplicates
  UNION ALL SELECT 'rejected', CAST(arrival AS DATE) FROM rejected WHERE part = 0
  UNION ALL SELECT 'unpriced', CAST(arrival AS DATE) FROM unpriced
) AS records
GROUP BY outcome, arrived
ORDER BY arrived DESC, outcome
LIMIT 1000""",
    ),
    Question(
        "Unpriced",
        "What waits for a tariff or contract",
        "Readings that could not be priced yet, by reason; `redrive` sends them again once the cause is mended.",
        """SELECT reason, detail, COUNT(*) AS readings, MIN(arrival) AS since
FROM unpriced
GROUP BY reason, detail
ORDER BY readings DESC
LIMIT 100""",
    ),
    Question(
        "Peaks",
        "Dearest quarter hours of demand",
        "The quarter hours that set the demand, by factory.",
        """SELECT entity AS factory, window_start, mean_kw, cost, currency
FROM kpis_15m
WHERE level = 'factory' AND event_date >= '2026-01-01'
ORDER BY mean_kw DESC
LIMIT 100""",
    ),
)
