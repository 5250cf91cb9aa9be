-- Changes of the quarter hours of meters; of the path the parts above the meter remain (see pipeline.py).
SELECT
  site_path AS path,
  currency,
  start_ms,
  interval_s,
  day_start_ms,
  day_s,
  is_partial,
  is_day_partial,
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
