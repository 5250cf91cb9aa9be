-- Bills: the cost of the readings of a cycle in the stream plus the adjustments of settlement (`rerate`), which are 0 until
-- the cycle is settled. A supply point with meters at several sites, also one whose meter moved within the cycle, has one row per
-- site; their sum is the bill. Submeters add nothing to it.
-- Adjustments belong to the site of the reading. What settlement moved as a whole, as to another tariff, has no row.
SELECT
  tenant,
  supply_point,
  CASE WHEN MIN(meter_id) = MAX(meter_id) THEN MAX(meter_id) END AS meter_id,
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
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
    energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, 0 AS adjustment,
    CASE WHEN is_first THEN 1 ELSE 0 END AS readings
  FROM costs
  WHERE COALESCE(role, 'main') IN ('main', 'part')
  UNION ALL
  SELECT
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency, energy_kwh, export_kwh,
    energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, cost AS adjustment,
    readings
  FROM adjustments
  WHERE COALESCE(role, 'main') IN ('main', 'part')
) AS rows
GROUP BY tenant, supply_point, split_part(site_path, '/', 1), cycle_start, tariff_id, tariff_version
HAVING COALESCE(SUM(readings), 0) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0
