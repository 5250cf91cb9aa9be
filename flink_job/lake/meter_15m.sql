-- Quarter hours of each meter: the costs of its readings, exact for late readings and for duplicated rows, plus the
-- adjustments of settlement (`settle`). A meter that moved within a quarter hour has one row per site path, and one per path of the
-- meter upstream. What settlement
-- moved to another day or site path as a whole has no row where it was.
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
) AS parts
GROUP BY tenant, meter_id, site_path, upstream_path, site, window_start, currency, day_start, day_s, event_date
HAVING
  SUM(readings) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0
  -- Quotients: what settlement moved as a whole leaves a residue of rounding.
  OR ABS(SUM(quarter_kwh)) > 0.00001
