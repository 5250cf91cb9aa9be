-- title: Cost of each reading
-- description: The cost of each reading.
-- units: interval_s [s], energy_kwh [kWh], export_kwh [kWh], energy_cost [currency], demand_cost [currency],
--   fixed_cost [currency], export_credit [currency], other_cost [currency], tax [currency], cost [currency]
-- parameter from: event_date >= ?
-- parameter to: event_date <= ?
-- parameter site: split_part(site_path, '/', 1)
-- parameter supply: COALESCE(supply_point, meter_id) = ?
-- parameter meter: meter_id = ?
-- max_days: 31
SELECT meter_id, interval_start, interval_s, revision, energy_kwh, export_kwh, tariff_id, tou_period,
  energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, currency, provisional, site_path,
  COALESCE(supply_point, meter_id) AS supply_point, role
FROM costs
WHERE {from} AND {to} AND {sites} AND {supply} AND {meter}
ORDER BY meter_id, interval_start, revision
