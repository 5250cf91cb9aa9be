-- Quarter hours of each meter, repeated for the meter itself and for every level above it. Levels count every kWh once: what a
-- submeter measures counts on its own path, and no longer on that of the meter upstream, which measures it, too.
WITH counted AS (
  SELECT *, TRUE AS is_measured FROM meter_15m
  UNION ALL
  SELECT
    tenant,
    meter_id,
    upstream_path AS site_path,
    upstream_path,
    split_part(upstream_path, '/', 1) AS site,
    window_start,
    currency,
    day_start,
    day_s,
    event_date,
    interval_s,
    0 AS readings,
    -energy_kwh AS energy_kwh,
    -export_kwh AS export_kwh,
    -reactive_kvarh AS reactive_kvarh,
    CASE WHEN currency IS NOT NULL THEN 0 END AS cost,
    -quarter_kwh AS quarter_kwh,
    FALSE AS is_measured
  FROM meter_15m
  WHERE upstream_path <> ''
)

SELECT 'meter' AS level, meter_id AS entity, * FROM counted WHERE is_measured
UNION ALL
SELECT 'factory' AS level, site AS entity, * FROM counted
UNION ALL
SELECT 'process' AS level, site || '/' || split_part(site_path, '/', 2) AS entity, *
FROM counted
UNION ALL
SELECT
  'line' AS level,
  site || '/' || split_part(site_path, '/', 2) || '/' || split_part(site_path, '/', 3) AS entity,
  *
FROM counted
