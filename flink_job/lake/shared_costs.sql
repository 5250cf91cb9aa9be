-- What each meter bears of the bill of its supply point, by interval and charge. Of settled cycles these are the final shares (table
-- `shares`). Of others they are estimates without the spikes of marginal costs: the energy of a meter, less that of the meters behind it,
-- at the mean price so far of the cycle, and of the TOU period for the energy charge. What no submeter measured, and what the bill has
-- more than the shares, as after readings that came later than the settlement, is the meter `<supply_point>:rest`. So at any
-- time the shares add up to the costs and adjustments, to the last digit, and their energy is that of the mains.
-- A supply of a single meter has the costs and adjustments of that meter.
WITH amounts AS (
  SELECT
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, COALESCE(role, 'main') AS role,
    COALESCE(upstream, '') AS upstream, COALESCE(upstream_path, '') AS upstream_path, interval_start, interval_s, day_start,
    cycle_start, tariff_id, tariff_version, tou_period, currency, energy_kwh, export_kwh, energy_cost, demand_cost, fixed_cost,
    export_credit, other_cost, tax, cost, provisional, event_date
  FROM costs
  UNION ALL
  SELECT
    tenant, COALESCE(supply_point, meter_id) AS supply_point, meter_id, site_path, COALESCE(role, 'main') AS role,
    '' AS upstream, COALESCE(upstream_path, '') AS upstream_path, window_start AS interval_start, 900 AS interval_s, day_start,
    cycle_start, tariff_id, tariff_version, '' AS tou_period, currency, energy_kwh, export_kwh, energy_cost, demand_cost, fixed_cost,
    export_credit, other_cost, tax, cost, is_open AS provisional, event_date
  FROM adjustments
  WHERE window_start IS NOT NULL
),

supplies AS (
  SELECT tenant, supply_point, COUNT(DISTINCT meter_id) AS meters, MAX(CASE WHEN role = 'sub' THEN 1 ELSE 0 END) AS has_subs
  FROM amounts
  WHERE role <> 'sensor'
  GROUP BY tenant, supply_point
),

meters AS (
  SELECT tenant, supply_point, meter_id
  FROM amounts
  WHERE role IN ('sub', 'part')
  GROUP BY tenant, supply_point, meter_id
),

settled AS (
  SELECT tenant, supply_point, cycle_start, tariff_id, tariff_version, 1 AS is_settled
  FROM shares
  GROUP BY tenant, supply_point, cycle_start, tariff_id, tariff_version
),

pooled AS (
  SELECT a.*, p.has_subs, COALESCE(s.is_settled, 0) AS is_settled
  FROM amounts AS a
  INNER JOIN supplies AS p ON p.tenant = a.tenant AND p.supply_point = a.supply_point AND p.meters > 1
  LEFT JOIN settled AS s
    ON s.tenant = a.tenant AND s.supply_point = a.supply_point AND s.cycle_start = a.cycle_start
    AND s.tariff_id = a.tariff_id AND s.tariff_version = a.tariff_version
  WHERE a.role <> 'sensor'
),

-- The bill so far.
totals AS (
  SELECT
    tenant, supply_point, cycle_start, tariff_id, tariff_version, MAX(currency) AS currency, MAX(site_path) AS site_path,
    MAX(interval_start) AS interval_start, MAX(day_start) AS day_start, MAX(event_date) AS event_date, SUM(energy_kwh) AS energy_kwh,
    SUM(export_kwh) AS export_kwh, SUM(energy_cost) AS energy_cost, SUM(demand_cost) AS demand_cost, SUM(fixed_cost) AS fixed_cost,
    SUM(export_credit) AS export_credit, SUM(other_cost) AS other_cost, SUM(tax) AS tax, SUM(cost) AS cost
  FROM pooled
  WHERE role IN ('main', 'part')
  GROUP BY tenant, supply_point, cycle_start, tariff_id, tariff_version
),

by_period AS (
  SELECT
    tenant, supply_point, cycle_start, tariff_id, tariff_version, tou_period,
    CAST(SUM(energy_cost) AS DOUBLE) / NULLIF(CAST(SUM(energy_kwh) AS DOUBLE), 0) AS price
  FROM pooled
  WHERE role IN ('main', 'part') AND is_settled = 0
  GROUP BY tenant, supply_point, cycle_start, tariff_id, tariff_version, tou_period
),

-- Each kWh at the meter that measured it, and no longer at the meter upstream.
counted AS (
  SELECT
    tenant, supply_point, CASE WHEN role = 'main' AND has_subs = 1 THEN supply_point || ':rest' ELSE meter_id END AS meter_id,
    site_path, interval_start, interval_s, day_start, cycle_start, tariff_id, tariff_version, tou_period, event_date,
    energy_kwh, export_kwh
  FROM pooled
  WHERE is_settled = 0
  UNION ALL
  SELECT
    p.tenant, p.supply_point, CASE WHEN m.meter_id IS NULL THEN p.supply_point || ':rest' ELSE p.upstream END AS meter_id,
    p.upstream_path AS site_path, p.interval_start, p.interval_s, p.day_start, p.cycle_start, p.tariff_id, p.tariff_version,
    p.tou_period, p.event_date, -p.energy_kwh AS energy_kwh, -p.export_kwh AS export_kwh
  FROM pooled AS p
  LEFT JOIN meters AS m ON m.tenant = p.tenant AND m.supply_point = p.supply_point AND m.meter_id = p.upstream
  WHERE p.is_settled = 0 AND p.role = 'sub'
),

net AS (
  SELECT
    tenant, supply_point, meter_id, MAX(site_path) AS site_path, interval_start, MAX(interval_s) AS interval_s,
    MAX(day_start) AS day_start, cycle_start, tariff_id, tariff_version, MAX(tou_period) AS tou_period, MAX(event_date) AS event_date,
    SUM(energy_kwh) AS energy_kwh, SUM(export_kwh) AS export_kwh
  FROM counted
  GROUP BY tenant, supply_point, meter_id, interval_start, cycle_start, tariff_id, tariff_version
),

-- Mean prices so far; energy has one by TOU period, too.
prices AS (
  SELECT
    tenant, supply_point, cycle_start, tariff_id, tariff_version, currency,
    CAST(energy_cost AS DOUBLE) / NULLIF(CAST(energy_kwh AS DOUBLE), 0) AS energy,
    CAST(demand_cost AS DOUBLE) / NULLIF(CAST(energy_kwh AS DOUBLE), 0) AS demand,
    CAST(fixed_cost AS DOUBLE) / NULLIF(CAST(energy_kwh AS DOUBLE), 0) AS fixed,
    CAST(other_cost AS DOUBLE) / NULLIF(CAST(energy_kwh AS DOUBLE), 0) AS other,
    CAST(export_credit AS DOUBLE) / NULLIF(CAST(export_kwh AS DOUBLE), 0) AS export,
    CAST(tax AS DOUBLE) / NULLIF(CAST(energy_kwh AS DOUBLE), 0) AS tax
  FROM totals
),

estimated AS (
  SELECT
    n.tenant, n.supply_point, n.meter_id, n.site_path, n.interval_start, n.interval_s, n.day_start, n.cycle_start, n.tariff_id,
    n.tariff_version, n.event_date, n.energy_kwh, t.currency,
    -- Meters may have other intervals than those upstream: the sums of a day tell.
    SUM(n.energy_kwh) OVER (
      PARTITION BY n.tenant, n.supply_point, n.meter_id, n.cycle_start, n.tariff_id, n.tariff_version, n.day_start
    ) < 0 AS sum_check,
    CAST(ROUND(CAST(n.energy_kwh AS DOUBLE) * COALESCE(p.price, t.energy, 0), 6) AS DECIMAL(18, 6)) AS energy_cost,
    CAST(ROUND(CAST(n.energy_kwh AS DOUBLE) * COALESCE(t.demand, 0), 6) AS DECIMAL(18, 6)) AS demand_cost,
    CAST(ROUND(CAST(n.energy_kwh AS DOUBLE) * COALESCE(t.fixed, 0), 6) AS DECIMAL(18, 6)) AS fixed_cost,
    CAST(ROUND(CAST(n.energy_kwh AS DOUBLE) * COALESCE(t.other, 0), 6) AS DECIMAL(18, 6)) AS reactive_cost,
    CAST(ROUND(CAST(n.export_kwh AS DOUBLE) * COALESCE(t.export, 0), 6) AS DECIMAL(18, 6)) AS export_credit,
    CAST(ROUND(CAST(n.energy_kwh AS DOUBLE) * COALESCE(t.tax, 0), 6) AS DECIMAL(18, 6)) AS tax
  FROM net AS n
  INNER JOIN prices AS t
    ON t.tenant = n.tenant AND t.supply_point = n.supply_point AND t.cycle_start = n.cycle_start
    AND t.tariff_id = n.tariff_id AND t.tariff_version = n.tariff_version
  LEFT JOIN by_period AS p
    ON p.tenant = n.tenant AND p.supply_point = n.supply_point AND p.cycle_start = n.cycle_start
    AND p.tariff_id = n.tariff_id AND p.tariff_version = n.tariff_version AND p.tou_period = n.tou_period
),

borne AS (
  SELECT
    tenant, supply_point, meter_id, site_path, interval_start, interval_s,
    -- The local midnight is up to 14 hours before that of UTC, or 10 after it.
    CAST(CAST(day_start + INTERVAL '839' MINUTE AS DATE) AS VARCHAR) AS local_date, event_date, energy_kwh, energy_cost, demand_cost, fixed_cost, reactive_cost, export_credit,
    CAST(0 AS DECIMAL(18, 6)) AS minimum_cost, tax,
    energy_cost + demand_cost + fixed_cost + reactive_cost + export_credit + tax AS cost,
    currency, cycle_start, tariff_id, tariff_version, TRUE AS provisional, sum_check
  FROM estimated
  UNION ALL
  SELECT
    tenant, supply_point, meter_id, site_path, interval_start, interval_s, local_date, event_date, energy_kwh, energy_cost,
    demand_cost, fixed_cost, reactive_cost, export_credit, minimum_cost, tax, cost, currency, cycle_start, tariff_id,
    tariff_version, is_open AS provisional, sum_check
  FROM shares
),

-- What the shares lack of the bill: rounding, and what came after the settlement.
lacking AS (
  SELECT
    t.tenant, t.supply_point, t.cycle_start, t.tariff_id, t.tariff_version,
    t.energy_kwh - b.energy_kwh AS energy_kwh, t.energy_cost - b.energy_cost AS energy_cost,
    t.demand_cost - b.demand_cost AS demand_cost, t.fixed_cost - b.fixed_cost AS fixed_cost,
    t.other_cost - b.other_cost AS reactive_cost, t.export_credit - b.export_credit AS export_credit, t.tax - b.tax AS tax,
    t.cost - b.cost AS cost, t.currency, t.site_path, t.interval_start, t.day_start, t.event_date
  FROM totals AS t
  INNER JOIN (
    SELECT
      tenant, supply_point, cycle_start, tariff_id, tariff_version, SUM(energy_kwh) AS energy_kwh, SUM(energy_cost) AS energy_cost,
      SUM(demand_cost) AS demand_cost, SUM(fixed_cost) AS fixed_cost, SUM(reactive_cost + minimum_cost) AS other_cost,
      SUM(export_credit) AS export_credit, SUM(tax) AS tax, SUM(cost) AS cost
    FROM borne
    GROUP BY tenant, supply_point, cycle_start, tariff_id, tariff_version
  ) AS b
    ON b.tenant = t.tenant AND b.supply_point = t.supply_point AND b.cycle_start = t.cycle_start
    AND b.tariff_id = t.tariff_id AND b.tariff_version = t.tariff_version
),

every AS (
  SELECT
    tenant, supply_point, meter_id, site_path, interval_start, interval_s, local_date, event_date, energy_kwh, energy_cost,
    demand_cost, fixed_cost, reactive_cost, export_credit, minimum_cost, tax, cost, currency, cycle_start, tariff_id,
    tariff_version, provisional, sum_check
  FROM borne
  UNION ALL
  SELECT
    tenant, supply_point, supply_point || ':rest' AS meter_id, site_path, interval_start, 0 AS interval_s,
    CAST(CAST(day_start + INTERVAL '839' MINUTE AS DATE) AS VARCHAR) AS local_date, event_date, energy_kwh, energy_cost,
    demand_cost, fixed_cost, reactive_cost, export_credit, CAST(0 AS DECIMAL(18, 6)) AS minimum_cost, tax, cost, currency,
    cycle_start, tariff_id, tariff_version, TRUE AS provisional, FALSE AS sum_check
  FROM lacking
  WHERE energy_kwh <> 0 OR energy_cost <> 0 OR demand_cost <> 0 OR fixed_cost <> 0 OR reactive_cost <> 0 OR export_credit <> 0
    OR tax <> 0 OR cost <> 0
  UNION ALL
  SELECT
    a.tenant, a.supply_point, a.meter_id, a.site_path, a.interval_start, a.interval_s,
    CAST(CAST(MAX(a.day_start) + INTERVAL '839' MINUTE AS DATE) AS VARCHAR) AS local_date, MAX(a.event_date) AS event_date,
    SUM(a.energy_kwh) AS energy_kwh, SUM(a.energy_cost) AS energy_cost, SUM(a.demand_cost) AS demand_cost,
    SUM(a.fixed_cost) AS fixed_cost, SUM(a.other_cost) AS reactive_cost, SUM(a.export_credit) AS export_credit,
    CAST(0 AS DECIMAL(18, 6)) AS minimum_cost, SUM(a.tax) AS tax, SUM(a.cost) AS cost, MAX(a.currency) AS currency,
    a.cycle_start, a.tariff_id, a.tariff_version, MAX(CASE WHEN a.provisional THEN 1 ELSE 0 END) = 1 AS provisional,
    FALSE AS sum_check
  FROM amounts AS a
  INNER JOIN supplies AS p ON p.tenant = a.tenant AND p.supply_point = a.supply_point AND p.meters = 1
  WHERE a.role <> 'sensor'
  GROUP BY
    a.tenant, a.supply_point, a.meter_id, a.site_path, a.interval_start, a.interval_s, a.cycle_start, a.tariff_id, a.tariff_version
)

SELECT
  tenant,
  supply_point,
  meter_id,
  site_path,
  split_part(site_path, '/', 1) AS site,
  interval_start,
  interval_s,
  local_date,
  event_date,
  energy_kwh,
  energy_cost,
  demand_cost,
  fixed_cost,
  reactive_cost,
  export_credit,
  minimum_cost,
  tax,
  cost,
  currency,
  cycle_start,
  tariff_id,
  tariff_version,
  provisional,
  sum_check
FROM every
