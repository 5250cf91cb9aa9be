-- title: Bill of each supply point
-- description: The bill of each supply point and billing cycle, including adjustments; cycles that start between the dates.
-- units: energy_kwh [kWh], export_kwh [kWh], energy_cost [currency], demand_cost [currency], fixed_cost [currency],
--   export_credit [currency], other_cost [currency], tax [currency], cost [currency], adjustment [currency]
-- parameter from: cycle_start >= ?
-- parameter to: cycle_start <= ?
-- parameter site: site
-- parameter supply: supply_point = ?
-- parameter meter: meter_id = ?
-- max_days: 366
SELECT supply_point, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
  energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, adjustment, status
FROM bills
WHERE {from} AND {to} AND {sites} AND {supply} AND {meter}
ORDER BY cycle_start, supply_point
