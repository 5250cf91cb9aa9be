-- Hours. An hour in which a local day ends has one row per day.
SELECT
  level, entity, site, MAX(site_path) AS site_path, currency, day_start_ms, day_s,
  window_start AS starts_at,
  (day_start_ms + day_s * 1000 + 3599999) / 3600000 * 3600000 - 1 AS day_time_ms,
  MAX(interval_s) AS interval_s, SUM(readings) AS readings,
  CASE WHEN level = 'meter' THEN GREATEST(1, 3600 / MAX(interval_s)) ELSE SUM(expected_readings) END
    AS expected_readings,
  SUM(import_ukwh) AS import_ukwh, SUM(export_ukwh) AS export_ukwh, SUM(reactive_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost, MAX(arrival) AS arrival, MIN(mean_ukw) AS min_ukw, MAX(mean_ukw) AS max_ukw
FROM TABLE(TUMBLE(TABLE all_15m, DESCRIPTOR(row_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, window_time, level, entity, site, currency, day_start_ms, day_s
