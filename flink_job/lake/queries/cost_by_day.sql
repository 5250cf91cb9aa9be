-- title: Cost of each site by day
-- description: Cost and energy of each factory by UTC date, with the adjustments of settlement. The condition on
--   event_date limits the data scanned.
-- units: energy_kwh [kWh], cost [currency]
SELECT event_date, site AS factory, currency, SUM(energy_kwh) AS energy_kwh, SUM(cost) AS cost
FROM meter_15m
WHERE event_date >= '2026-01-01'
GROUP BY event_date, site, currency
ORDER BY event_date DESC, cost DESC
LIMIT 1000
