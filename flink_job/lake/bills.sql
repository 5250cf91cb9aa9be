-- Bills: the cost of the readings of a cycle in the stream plus the adjustments of settlement (`settle`), which are 0 until
-- the cycle is settled. A supply point with meters at several sites, also one whose meter moved within the cycle, has one row per
-- site; their sum is the bill. Submeters add nothing to it.
-- Adjustments belong to the site of the reading. What settlement moved as a whole, as to another tariff, has no row.
WITH amounts AS (
  SELECT
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency,
    energy_kwh, export_kwh, energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, 0 AS adjustment,
    CASE WHEN is_first THEN 1 ELSE 0 END AS readings, 1 AS records
  FROM costs
  WHERE COALESCE(role, 'main') IN ('main', 'part')
  UNION ALL
  SELECT
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, cycle_start, tariff_id, tariff_version, currency,
    energy_kwh, export_kwh, energy_cost, demand_cost, fixed_cost, export_credit, other_cost, tax, cost, cost AS adjustment,
    readings, 0 AS records
  FROM adjustments
  WHERE COALESCE(role, 'main') IN ('main', 'part')
),

totals AS (
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
    SUM(adjustment) AS adjustment,
    SUM(records) AS records
  FROM amounts
  GROUP BY tenant, supply_point, split_part(site_path, '/', 1), cycle_start, tariff_id, tariff_version
  HAVING COALESCE(SUM(readings), 0) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0
),

-- The newest settlement of each cycle.
settled AS (
  SELECT
    tenant, supply_point, cycle_start, tariff_id, tariff_version,
    max_by(records, settled_at) AS settled_records, max_by(is_open, settled_at) AS is_open
  FROM settlements
  GROUP BY tenant, supply_point, cycle_start, tariff_id, tariff_version
),

known AS (
  SELECT
    t.*,
    s.settled_records,
    s.is_open,
    u.supply_point AS changed_supply,
    SUM(t.records) OVER (PARTITION BY t.tenant, t.supply_point, t.cycle_start, t.tariff_id, t.tariff_version) AS bill_records,
    MAX(t.cycle_start) OVER (PARTITION BY t.tenant, t.supply_point) AS last_cycle
  FROM totals AS t
  LEFT JOIN settled AS s
    ON s.tenant = t.tenant AND s.supply_point = t.supply_point AND s.cycle_start = t.cycle_start
    AND s.tariff_id = t.tariff_id AND s.tariff_version = t.tariff_version
  LEFT JOIN (SELECT DISTINCT tenant, supply_point, cycle_start FROM unsettled_changes) AS u
    ON u.tenant = t.tenant AND u.supply_point = t.supply_point AND u.cycle_start = t.cycle_start
)

SELECT
  tenant,
  supply_point,
  meter_id,
  site_path,
  site,
  cycle_start,
  tariff_id,
  tariff_version,
  currency,
  energy_kwh,
  export_kwh,
  energy_cost,
  demand_cost,
  fixed_cost,
  export_credit,
  other_cost,
  tax,
  cost,
  adjustment,
  CASE
    WHEN changed_supply IS NOT NULL THEN 'contract changed'
    WHEN settled_records IS NULL AND cycle_start = last_cycle THEN 'open'
    WHEN settled_records IS NULL THEN 'provisional'
    WHEN settled_records <> bill_records THEN 'changed since settled'
    WHEN is_open THEN 'open'
    ELSE 'settled'
  END AS status
FROM known
