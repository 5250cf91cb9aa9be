-- title: Daily cost of each meter
-- description: Energy and cost of each meter by UTC date, with the adjustments of settlement.
-- units: energy_kwh [kWh], cost [currency], readings [1]
-- parameter from: event_date >= ?
-- parameter to: event_date <= ?
-- parameter site: site
-- parameter meter: meter_id = ?
-- max_days: 366
SELECT meter_id, event_date, currency, SUM(energy_kwh) AS energy_kwh, SUM(cost) AS cost,
  SUM(readings) AS readings
FROM meter_15m
WHERE {from} AND {to} AND {sites} AND {meter}
GROUP BY meter_id, event_date, currency
ORDER BY event_date, meter_id
