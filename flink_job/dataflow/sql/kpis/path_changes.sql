-- Changes of the quarter hours of meters, with the lowest level above the meter: the first three parts of the site path, as far as it
-- has them.
SELECT
  CASE
    WHEN site_path LIKE '%/%/%' THEN
      CONCAT_WS('/', SPLIT_INDEX(site_path, '/', 0), SPLIT_INDEX(site_path, '/', 1), SPLIT_INDEX(site_path, '/', 2))
    WHEN site_path LIKE '%/%' THEN CONCAT_WS('/', SPLIT_INDEX(site_path, '/', 0), SPLIT_INDEX(site_path, '/', 1))
    ELSE site_path
  END AS path,
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
  row_time AS change_time
FROM meter_windows
WHERE is_change
