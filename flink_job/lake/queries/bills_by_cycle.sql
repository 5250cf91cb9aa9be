-- title: Bills by supply point and cycle
-- description: Bill of each billing cycle, including the adjustments of `settle`. The rows add up to the bill exactly.
-- units: energy_kwh [kWh], cost [currency], adjustment [currency]
SELECT supply_point, cycle_start, tariff_id, currency, SUM(energy_kwh) AS energy_kwh, SUM(cost) AS cost,
  SUM(adjustment) AS adjustment
FROM bills
GROUP BY supply_point, cycle_start, tariff_id, currency
ORDER BY cycle_start DESC, cost DESC
LIMIT 1000
