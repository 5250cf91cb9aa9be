-- Quarter hours of meters and of the levels above them. Rows of a meter are separate per site; a level belongs to one site. The
-- demand of a level is the coincident sum of its meters' demands.
SELECT
  part_of, 'meter' AS level, meter_id AS entity, SPLIT_INDEX(site_path, '/', 0) AS site, site_path, currency, day_start_ms, day_s, starts_at, event_time,
  interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost, arrival, mean_ukw
FROM meter_15m
UNION ALL
SELECT
  CAST(NULL AS STRING) AS part_of, level, entity, '' AS site, entity AS site_path, currency, day_start_ms, day_s,
  window_start AS starts_at, window_time AS event_time,
  MAX(interval_s) AS interval_s, SUM(readings) AS readings, SUM(expected_readings) AS expected_readings,
  SUM(import_ukwh) AS import_ukwh, SUM(export_ukwh) AS export_ukwh, SUM(reactive_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost, MAX(arrival) AS arrival, SUM(mean_ukw) AS mean_ukw
FROM TABLE(TUMBLE(TABLE level_parts_15m, DESCRIPTOR(event_time), INTERVAL '15' MINUTES))
GROUP BY window_start, window_end, window_time, level, entity, currency, day_start_ms, day_s
