-- Changes of the quarter hours of meters, for their line: the first three parts of the site path, or all if it has fewer.
SELECT
  REGEXP_EXTRACT(site_path, '^([^/]+(?:/[^/]+){0,2})', 1) AS entity,
  currency,
  start_ms,
  interval_s,
  day_start_ms,
  day_s,
  arrival,
  readings,
  expected_readings,
  import_ukwh,
  export_ukwh,
  reactive_uvarh,
  total_ucost,
  mean_ukw,
  row_time
FROM meter_windows
WHERE is_change
