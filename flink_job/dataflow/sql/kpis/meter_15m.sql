-- Quarter hours of meters. Higher levels are summed from these, so a big site is not a hot key. A correction of a reading that
-- fills its window is a partial of its own (part_of): it changes energy and cost but is not a power value.
SELECT
  CAST(NULL AS STRING) AS part_of,
  meter_id,
  site_path,
  currency,
  day_start_ms,
  day_s,
  window_start AS starts_at,
  window_time AS event_time,
  interval_s,
  readings,
  GREATEST(1, 900 / interval_s) AS expected_readings,
  import_ukwh,
  export_ukwh,
  reactive_uvarh,
  total_ucost,
  arrival,
  mean_ukw AS added_ukw,
  mean_ukw
FROM summed_15m
UNION ALL
SELECT
  reading_id AS part_of,
  meter_id,
  site_path,
  currency,
  day_start_ms,
  day_s,
  CAST(row_time AS TIMESTAMP(3)) AS starts_at,
  row_time AS event_time,
  interval_s,
  CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
  1 AS expected_readings,
  import_ukwh,
  export_ukwh,
  reactive_import_uvarh AS reactive_uvarh,
  total_ucost,
  arrival,
  import_ukwh * 3600 / interval_s AS added_ukw,
  CASE WHEN is_first THEN import_ukwh * 3600 / interval_s END AS mean_ukw
FROM full_intervals
