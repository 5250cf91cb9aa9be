-- Bills: the cost of the readings of a cycle in the stream plus the adjustments of settlement (`rerate`), which are 0 until
-- the cycle is settled. A meter that moved to another site within the cycle has one row per site; their sum is the bill.
-- Adjustments belong to the site of the reading. What settlement moved as a whole, as to another tariff, has no row.
SELECT
  tenant,
  meter_id,
  MAX(site_path) AS site_path,
  split_part(site_path, '/', 1) AS site,
  cycle_start,
  tariff_id,
  tariff_version,
  MAX(currency) AS currency,
  SUM(energy_kwh) AS energy_kwh,
  SUM(export_kwh) AS export_kwh,
  SUM(energy_cost) AS energy_cost,
  SUM(demand_cost) AS demand_cost,
  SUM(fixed_cost) AS fixed_cost,
  SUM(export_credit) AS export_credit,
  SUM(other_cost) AS other_cost,
  SUM(tax) AS tax,
  SUM(cost) AS cost,
  SUM(adjustment) AS adjustment
FROM (
  SELECT
    tenant, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
    energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, 0 AS adjustment,
    CASE WHEN is_first THEN 1 ELSE 0 END AS readings
  FROM costs
  UNION ALL
  SELECT
    tenant, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
    energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, cost AS adjustment,
    readings
  FROM adjustments
) AS rows
GROUP BY tenant, meter_id, split_part(site_path, '/', 1), cycle_start, tariff_id, tariff_version
HAVING COALESCE(SUM(readings), 0) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0
