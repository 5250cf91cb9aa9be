-- What each costed record adds to the KPIs of its meter. Its power is its energy over the quarter hour in which it starts, or over its
-- interval if that is longer; the rest of a reading that ends in the next quarter hour adds to the power of that one.
SELECT
  meter_id,
  site_path,
  currency,
  start_ms,
  interval_s,
  day_start_ms,
  day_s,
  arrival,
  CASE WHEN is_first THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS readings,
  CAST(0 AS BIGINT) AS expected_readings,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh AS reactive_uvarh,
  total_ucost,
  (import_ukwh - next_ukwh) * 3600 / GREATEST(900, interval_s) AS mean_ukw,
  SPLIT_INDEX(site_path, '/', 0) AS site,
  event_time
FROM kpi_parts
UNION ALL
SELECT
  meter_id,
  site_path,
  currency,
  next_ms AS start_ms,
  0 AS interval_s,
  day_start_ms,
  day_s,
  arrival,
  CAST(0 AS BIGINT) AS readings,
  CAST(0 AS BIGINT) AS expected_readings,
  CAST(0 AS BIGINT) AS import_ukwh,
  CAST(0 AS BIGINT) AS export_ukwh,
  CAST(0 AS BIGINT) AS reactive_uvarh,
  CAST(0 AS BIGINT) AS total_ucost,
  next_ukwh * 4 AS mean_ukw,
  SPLIT_INDEX(site_path, '/', 0) AS site,
  event_time
FROM kpi_parts
WHERE next_ukwh <> 0
