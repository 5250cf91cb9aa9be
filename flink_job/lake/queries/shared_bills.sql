-- title: Who bears the bill of each supply point
-- description: The part of each meter in the bills of its supply point, and of what no submeter measured. The rows of a supply and cycle add
--   up to its bill exactly.
-- units: energy_kwh [kWh], energy_cost [currency], demand_cost [currency], fixed_cost [currency], reactive_cost [currency],
--   export_credit [currency], minimum_cost [currency], tax [currency], cost [currency]
SELECT supply_point, cycle_start, meter_id, currency, SUM(energy_kwh) AS energy_kwh, SUM(energy_cost) AS energy_cost,
  SUM(demand_cost) AS demand_cost, SUM(fixed_cost) AS fixed_cost, SUM(reactive_cost) AS reactive_cost,
  SUM(export_credit) AS export_credit, SUM(minimum_cost) AS minimum_cost, SUM(tax) AS tax, SUM(cost) AS cost,
  MAX(CASE WHEN provisional THEN 1 ELSE 0 END) = 1 AS provisional
FROM shared_costs
GROUP BY supply_point, cycle_start, meter_id, currency
ORDER BY cycle_start DESC, supply_point, cost DESC
LIMIT 1000
