-- Hours (view kpis_1h) or local days, 23 to 25 hours long (kpis_1d), of every entity: sums of quarter hours; the demand is the
-- highest quarter hour. A line that ends with the comment "hours" or "days" is only in that view.
-- Expected readings are those that the job expected, by contract, whether a reading arrived or not. A window that the job
-- has not emitted yet counts those of the meters that reported in it. A window whose readings settlement moved elsewhere, as
-- to the days of another time zone, has no row.
WITH parts AS (
  SELECT
    tenant,
    level,
    entity,
    site,
    currency,
    date_trunc('hour', window_start) AS window_start,  -- hours
    day_start AS window_start,  -- days
    day_start,
    day_s,
    event_date,  -- hours
    SUM(readings) AS readings,
    CAST(NULL AS BIGINT) AS reported_readings,
    CAST(NULL AS BIGINT) AS expected_readings,
    CAST(NULL AS BIGINT) AS emitted_readings,
    SUM(energy_kwh) AS energy_kwh,
    SUM(export_kwh) AS export_kwh,
    SUM(reactive_kvarh) AS reactive_kvarh,
    SUM(cost) AS cost,
    MIN(CASE WHEN readings > 0 THEN mean_kw END) AS min_kw,
    MAX(CASE WHEN readings > 0 THEN mean_kw END) AS max_kw
  FROM kpis_15m
  GROUP BY tenant, level, entity, site, currency, date_trunc('hour', window_start), day_start, day_s, event_date  -- hours
  GROUP BY tenant, level, entity, site, currency, day_start, day_s  -- days
  UNION ALL
  SELECT
    tenant,
    level,
    entity,
    site,
    currency,
    date_trunc('hour', window_start) AS window_start,  -- hours
    day_start AS window_start,  -- days
    day_start,
    day_s,
    event_date,  -- hours
    0 AS readings,
    GREATEST(1, CAST(FLOOR(3600.0 / MAX(interval_s)) AS INTEGER)) AS reported_readings,  -- hours
    GREATEST(1, CAST(FLOOR(MAX(day_s) * 1.0 / MAX(interval_s)) AS INTEGER)) AS reported_readings,  -- days
    CAST(NULL AS BIGINT) AS expected_readings,
    CAST(NULL AS BIGINT) AS emitted_readings,
    0 AS energy_kwh,
    0 AS export_kwh,
    0 AS reactive_kvarh,
    CASE WHEN currency IS NOT NULL THEN 0 END AS cost,
    CAST(NULL AS DOUBLE) AS min_kw,
    CAST(NULL AS DOUBLE) AS max_kw
  FROM meter_levels
  WHERE is_measured
  GROUP BY tenant, level, entity, site, currency, date_trunc('hour', window_start), day_start, day_s, event_date, meter_id  -- hours
  GROUP BY tenant, level, entity, site, currency, day_start, day_s, meter_id  -- days
  UNION ALL
  SELECT
    tenant,
    level,
    entity,
    split_part(site_path, '/', 1) AS site,
    currency,
    window_start,
    day_start,
    day_s,
    event_date,  -- hours
    0 AS readings,
    CAST(NULL AS BIGINT) AS reported_readings,
    expected_readings,
    readings AS emitted_readings,
    0 AS energy_kwh,
    0 AS export_kwh,
    0 AS reactive_kvarh,
    CASE WHEN currency IS NOT NULL THEN 0 END AS cost,
    CAST(NULL AS DOUBLE) AS min_kw,
    CAST(NULL AS DOUBLE) AS max_kw
  FROM kpis
  WHERE window_s = 3600  -- hours
  WHERE window_s = 86400  -- days
),

sums AS (
  SELECT
    tenant,
    level,
    entity,
    site,
    currency,
    window_start,
    day_start,
    day_s,
    event_date,  -- hours
    SUM(readings) AS readings,
    COALESCE(SUM(expected_readings), SUM(reported_readings)) AS expected_readings,
    COALESCE(SUM(emitted_readings), 0) AS emitted_readings,
    SUM(energy_kwh) AS energy_kwh,
    SUM(export_kwh) AS export_kwh,
    SUM(reactive_kvarh) AS reactive_kvarh,
    SUM(cost) AS cost,
    MIN(min_kw) AS min_kw,
    MAX(max_kw) AS max_kw
  FROM parts
  GROUP BY tenant, level, entity, site, currency, window_start, day_start, day_s, event_date  -- hours
  GROUP BY tenant, level, entity, site, currency, window_start, day_start, day_s  -- days
)

SELECT
  tenant,
  level,
  entity,
  currency,
  window_start,
  day_start,
  day_s,
  event_date,  -- hours
  site,
  readings,
  expected_readings,
  CASE WHEN readings >= expected_readings THEN 1.0 ELSE CAST(readings AS DOUBLE) / expected_readings END AS completeness,
  energy_kwh,
  export_kwh,
  reactive_kvarh,
  cost,
  min_kw,
  CAST(energy_kwh AS DOUBLE) AS mean_kw,  -- hours
  CAST(energy_kwh AS DOUBLE) * 3600 / day_s AS mean_kw,  -- days
  max_kw,
  CASE WHEN max_kw > 0 THEN CAST(energy_kwh AS DOUBLE) / max_kw END AS load_factor,  -- hours
  CASE WHEN max_kw > 0 THEN CAST(energy_kwh AS DOUBLE) * 3600 / day_s / max_kw END AS load_factor,  -- days
  CASE
    WHEN energy_kwh > 0 AND reactive_kvarh > 0
      THEN CAST(energy_kwh AS DOUBLE)
        / SQRT(POWER(CAST(energy_kwh AS DOUBLE), 2) + POWER(CAST(reactive_kvarh AS DOUBLE), 2))
  END AS power_factor
FROM sums
WHERE readings <> 0 OR cost <> 0 OR energy_kwh <> 0 OR (emitted_readings = 0 AND currency IS NOT NULL)
