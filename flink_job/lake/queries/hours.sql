-- title: KPIs by hour
-- description: KPIs by hour at one level of the site: demand, load factor, power factor.
-- units: readings [1], expected_readings [1], energy_kwh [kWh], export_kwh [kWh], reactive_kvarh [kvarh],
--   cost [currency], min_kw [kW], mean_kw [kW], max_kw [kW], completeness [1], load_factor [1], power_factor [1]
-- parameter from: event_date >= ?
-- parameter to: event_date <= ?
-- parameter site: site
-- parameter level: level = ?
-- parameter entity: entity = ?
-- max_days: 92
SELECT level, entity, window_start, currency, readings, expected_readings, energy_kwh, export_kwh,
  reactive_kvarh, cost, min_kw, mean_kw, max_kw, completeness, load_factor, power_factor
FROM kpis_1h
WHERE {from} AND {to} AND {sites} AND {level} AND {entity}
ORDER BY window_start, entity
