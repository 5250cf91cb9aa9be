-- Each quarter hour of a meter for its line: the first three parts of its site path, or all if it has fewer.
SELECT
  REGEXP_EXTRACT(site_path, '^([^/]+(?:/[^/]+){0,2})', 1) AS entity,
  currency,
  day_start_ms,
  day_s,
  event_time,
  interval_s,
  readings,
  expected_readings,
  import_ukwh,
  export_ukwh,
  reactive_uvarh,
  total_ucost,
  arrival,
  added_ukw AS mean_ukw
FROM meter_15m
