-- What each costed record adds to the KPIs of its meter. Power counts in the quarter hour in which the reading starts: its energy over
-- the quarter hour, or over its interval if that is longer.
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
  import_ukwh * 3600 / GREATEST(900, interval_s) AS mean_ukw,
  SPLIT_INDEX(site_path, '/', 0) AS site,
  event_time
FROM costed
