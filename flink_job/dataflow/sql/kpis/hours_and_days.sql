-- Closed hours and local days of meters and levels, in common columns.
SELECT
  level, entity, site, site_path, currency, day_start_ms, day_s,
  starts_at AS window_start, starts_at + INTERVAL '1' HOUR AS window_end, 3600 AS window_s,
  CAST(EXTRACT(EPOCH FROM starts_at) AS STRING) AS window_key,
  interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost, min_ukw, max_ukw, arrival
FROM all_1h
UNION ALL
SELECT
  level, entity, site, site_path, currency, day_start_ms, day_s,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS window_start,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms + day_s * 1000, 3) AS TIMESTAMP(3)) AS window_end, 86400 AS window_s,
  CAST(day_start_ms / 1000 AS STRING) AS window_key,
  interval_s, readings,
  CASE WHEN level = 'meter' THEN GREATEST(1, day_s / interval_s) ELSE expected_readings END AS expected_readings,
  import_ukwh, export_ukwh, reactive_uvarh, total_ucost, min_ukw, max_ukw, arrival
FROM all_1d
