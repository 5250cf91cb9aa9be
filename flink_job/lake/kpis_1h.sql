-- Hours of every entity: sums of quarter hours; the demand is the highest quarter hour.
-- Expected readings are counted for every meter that reported in the window.
WITH sums AS (
  SELECT
    tenant,
    level,
    entity,
    site,
    currency,
    date_trunc('hour', window_start) AS window_start,
    day_start,
    day_s,
    event_date,
    SUM(readings) AS readings,
    SUM(energy_kwh) AS energy_kwh,
    SUM(export_kwh) AS export_kwh,
    SUM(reactive_kvarh) AS reactive_kvarh,
    SUM(cost) AS cost,
    MIN(mean_kw) AS min_kw,
    MAX(mean_kw) AS max_kw
  FROM kpis_15m
  GROUP BY tenant, level, entity, site, currency, date_trunc('hour', window_start), day_start, day_s, event_date
),

expected AS (
  SELECT tenant, level, entity, site, currency, window_start, day_start, event_date, SUM(meter_expected) AS expected_readings
  FROM (
    SELECT
      tenant,
      level,
      entity,
      site,
      currency,
      date_trunc('hour', window_start) AS window_start,
      day_start,
      event_date,
      meter_id,
      GREATEST(1, CAST(FLOOR(3600.0 / MAX(interval_s)) AS INTEGER)) AS meter_expected
    FROM meter_levels
    GROUP BY tenant, level, entity, site, currency, date_trunc('hour', window_start), day_start, event_date, meter_id
  ) AS meters
  GROUP BY tenant, level, entity, site, currency, window_start, day_start, event_date
)

SELECT
  sums.tenant,
  sums.level,
  sums.entity,
  sums.currency,
  sums.window_start,
  sums.day_start,
  sums.day_s,
  sums.event_date,
  sums.site,
  sums.readings,
  expected.expected_readings,
  CASE
    WHEN sums.readings >= expected.expected_readings THEN 1.0
    ELSE CAST(sums.readings AS DOUBLE) / expected.expected_readings
  END AS completeness,
  sums.energy_kwh,
  sums.export_kwh,
  sums.reactive_kvarh,
  sums.cost,
  sums.min_kw,
  CAST(sums.energy_kwh AS DOUBLE) AS mean_kw,
  sums.max_kw,
  CASE WHEN sums.max_kw > 0 THEN CAST(sums.energy_kwh AS DOUBLE) / sums.max_kw END AS load_factor,
  CASE
    WHEN sums.energy_kwh > 0 AND sums.reactive_kvarh > 0
      THEN CAST(sums.energy_kwh AS DOUBLE)
        / SQRT(POWER(CAST(sums.energy_kwh AS DOUBLE), 2) + POWER(CAST(sums.reactive_kvarh AS DOUBLE), 2))
  END AS power_factor
FROM sums
INNER JOIN expected
  ON sums.tenant = expected.tenant
  AND sums.level = expected.level
  AND sums.entity = expected.entity
  AND sums.site = expected.site
  AND sums.currency = expected.currency
  AND sums.window_start = expected.window_start
  AND sums.day_start = expected.day_start
  AND sums.event_date = expected.event_date
