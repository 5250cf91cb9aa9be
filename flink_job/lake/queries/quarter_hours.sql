-- title: KPIs by quarter hour
-- description: KPIs by quarter hour at one level of the site.
-- units: readings [1], expected_readings [1], energy_kwh [kWh], export_kwh [kWh], reactive_kvarh [kvarh],
--   cost [currency], mean_kw [kW]
-- parameter from: event_date >= ?
-- parameter to: event_date <= ?
-- parameter site: site
-- parameter level: level = ?
-- parameter entity: entity = ?
-- max_days: 31
SELECT level, entity, window_start, currency, readings, expected_readings, energy_kwh, export_kwh,
  reactive_kvarh, cost, mean_kw
FROM kpis_15m
WHERE {from} AND {to} AND {sites} AND {level} AND {entity}
ORDER BY window_start, entity
