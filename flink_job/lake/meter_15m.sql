-- Quarter hours of each meter: the costs of its readings, exact for late readings and for duplicated rows, plus the
-- adjustments of settlement (`rerate`). A meter that moved within a quarter hour has one row per site path. What settlement
-- moved to another day or site path as a whole has no row where it was.
WITH readings AS (
  SELECT
    *,
    date_trunc('hour', interval_start)
    + CAST(FLOOR(EXTRACT(MINUTE FROM interval_start) / 15.0) AS INTEGER) * INTERVAL '15' MINUTE AS window_start
  FROM costs
),
-- The seconds of a reading that are in the next quarter hour, in which its power counts. As in the job, a reading of more than
-- a quarter hour and one over the end of a UTC or local day are not divided.
divided AS (
  SELECT
    *,
    CASE
      WHEN interval_s > 900 THEN 0
      WHEN window_start + INTERVAL '15' MINUTE >= day_start + day_s * INTERVAL '1' SECOND THEN 0
      WHEN CAST(window_start + INTERVAL '15' MINUTE AS DATE) <> CAST(window_start AS DATE) THEN 0
      ELSE GREATEST(0, date_diff('second', window_start, interval_start) + interval_s - 900)
    END AS next_s
  FROM readings
)
SELECT
  tenant,
  meter_id,
  site_path,
  split_part(site_path, '/', 1) AS site,
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
    tenant, meter_id, site_path, currency, day_start, day_s, event_date, interval_s,
    CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
    energy_kwh, export_kwh, reactive_kvarh, cost, window_start,
    CAST(energy_kwh AS DOUBLE) * (interval_s - next_s) / interval_s AS quarter_kwh
  FROM divided
  UNION ALL
  SELECT
    tenant, meter_id, site_path, currency, day_start, day_s, event_date, interval_s, 0 AS readings,
    0 AS energy_kwh, 0 AS export_kwh, 0 AS reactive_kvarh, 0 AS cost,
    window_start + INTERVAL '15' MINUTE AS window_start,
    CAST(energy_kwh AS DOUBLE) * next_s / interval_s AS quarter_kwh
  FROM divided
  WHERE next_s > 0
  UNION ALL
  SELECT
    tenant, meter_id, site_path, currency, day_start, day_s, event_date, interval_s, readings,
    energy_kwh, export_kwh, reactive_kvarh, cost, window_start,
    CAST(energy_kwh AS DOUBLE) AS quarter_kwh
  FROM adjustments
  WHERE window_start IS NOT NULL
) AS parts
GROUP BY tenant, meter_id, site_path, window_start, currency, day_start, day_s, event_date
HAVING SUM(readings) <> 0 OR SUM(energy_kwh) <> 0 OR SUM(export_kwh) <> 0 OR SUM(cost) <> 0 OR SUM(quarter_kwh) <> 0
