-- Quarter hours of each meter: the costs of its readings, exact for late readings and for duplicated rows, plus the
-- adjustments of settlement (`settle`). A meter that moved within a quarter hour has one row per site path, and one per path of the
-- meter upstream. What settlement
-- moved to another day or site path as a whole has no row where it was. Readings that have no price yet are in rows without a
-- currency, as the job emitted them (`kpis`), unless settlement has priced them.
SELECT
  tenant,
  meter_id,
  site_path,
  upstream_path,
  site,
  window_start,
  currency,
  day_start,
  day_s,
  event_date,
  MAX(interval_s) AS interval_s,
  SUM(readings) AS readings,
  SUM(energy_kwh) AS energy_kwh,
  SUM(export_kwh) AS export_kwh,
  SUM(reactive_kvarh) AS reactive_kvarh,
  SUM(cost) AS cost,
  SUM(quarter_kwh) AS quarter_kwh
FROM (
  SELECT
    tenant, meter_id, site_path, upstream_path, site, window_start, currency, day_start, day_s, event_date, interval_s, readings,
    energy_kwh, export_kwh, reactive_kvarh, cost, quarter_kwh
  FROM readings_15m
  UNION ALL
  SELECT
    tenant, meter_id, site_path, COALESCE(adjustments.upstream_path, '') AS upstream_path, split_part(site_path, '/', 1) AS site, window_start, currency, day_start, day_s, event_date,
    interval_s, readings, energy_kwh, export_kwh, reactive_kvarh, cost,
    CAST(COALESCE(quarter_kwh, energy_kwh) AS DOUBLE) AS quarter_kwh
  FROM adjustments
  WHERE window_start IS NOT NULL
  UNION ALL
  SELECT
    k.tenant, k.entity AS meter_id, k.site_path, COALESCE(k.upstream_path, '') AS upstream_path,
    split_part(k.site_path, '/', 1) AS site, k.window_start, k.currency, k.day_start, k.day_s, k.event_date, k.interval_s, k.readings,
    k.energy_kwh, k.export_kwh, k.reactive_kvarh, k.cost,
    CAST(k.max_kw AS DOUBLE) * GREATEST(900, k.interval_s) / 3600 AS quarter_kwh
  FROM kpis AS k
  LEFT JOIN (
    SELECT DISTINCT tenant, meter_id, window_start, event_date FROM adjustments WHERE readings > 0
  ) AS a
    ON a.tenant = k.tenant AND a.meter_id = k.entity AND a.window_start = k.window_start AND a.event_date = k.event_date
  WHERE k.level = 'meter' AND k.window_s = 900 AND k.currency IS NULL AND a.meter_id IS NULL
) AS parts
GROUP BY tenant, meter_id, site_path, upstream_path, site, window_start, currency, day_start, day_s, event_date
HAVING
  SUM(readings) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0
  -- Quotients: what settlement moved as a whole leaves a residue of rounding.
  OR ABS(SUM(quarter_kwh)) > 0.00001
