-- title: Cost of each site by day
-- description: Cost and energy of each factory by UTC date. The condition on event_date limits the data scanned.
-- units: energy_kwh [kWh], cost [currency]
SELECT event_date, split_part(site_path, '/', 1) AS factory, currency, SUM(energy_kwh) AS energy_kwh,
  SUM(cost) AS cost
FROM costs
WHERE event_date >= '2026-01-01'
GROUP BY event_date, split_part(site_path, '/', 1), currency
ORDER BY event_date DESC, cost DESC
LIMIT 1000
