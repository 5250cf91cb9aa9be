-- title: Shares of meters in bills
-- description: What each meter bears of the bill of its supply point, and what no submeter measured (`<supply point>:rest`); cycles that
--   start between the dates. The rows of a supply and cycle add up to its bill exactly; `provisional` until the cycle is settled.
-- units: energy_kwh [kWh], energy_cost [currency], demand_cost [currency], fixed_cost [currency], reactive_cost [currency],
--   export_credit [currency], minimum_cost [currency], tax [currency], cost [currency]
-- parameter from: cycle_start >= ?
-- parameter to: cycle_start <= ?
-- parameter site: site
-- parameter supply: supply_point = ?
-- parameter meter: meter_id = ?
-- max_days: 366
SELECT supply_point, cycle_start, meter_id, currency, SUM(energy_kwh) AS energy_kwh, SUM(energy_cost) AS energy_cost,
  SUM(demand_cost) AS demand_cost, SUM(fixed_cost) AS fixed_cost, SUM(reactive_cost) AS reactive_cost,
  SUM(export_credit) AS export_credit, SUM(minimum_cost) AS minimum_cost, SUM(tax) AS tax, SUM(cost) AS cost,
  MAX(CASE WHEN provisional THEN 1 ELSE 0 END) = 1 AS provisional
FROM shared_costs
WHERE {from} AND {to} AND {sites} AND {supply} AND {meter}
GROUP BY supply_point, cycle_start, meter_id, currency
ORDER BY cycle_start, supply_point, meter_id
