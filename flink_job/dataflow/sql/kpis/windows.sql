-- Totals of the windows of meters, lines, processes and factories. The demand of a level is the coincident sum of its meters' demands.
SELECT
  'meter' AS level, meter_id AS entity, site_path, upstream_path, currency, day_start_ms, day_s, start_ms, window_s, is_corrected, is_partial,
  interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost, min_mean_ukw, max_mean_ukw, arrival,
  emitted_at
FROM meter_windows
WHERE is_total
UNION ALL
SELECT
  CASE WHEN entity LIKE '%/%/%' THEN 'line' WHEN entity LIKE '%/%' THEN 'process' ELSE 'factory' END AS level,
  entity, entity AS site_path, '' AS upstream_path, currency, day_start_ms, day_s, start_ms, window_s, is_corrected, is_partial,
  interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost, min_mean_ukw, max_mean_ukw, arrival,
  emitted_at
FROM level_windows
WHERE is_total
