-- Local days, 23 to 25 hours long: sessions of hours of one local day. A silence of more than three hours ends a
-- session, so a day may have several rows; like all KPI rows they are parts to be summed.
SELECT
  level, entity, site_path, currency, day_start_ms, day_s,
  window_start AS starts_at, window_time AS event_time,
  MAX(interval_s) AS interval_s, SUM(readings) AS readings, SUM(expected_readings) AS expected_readings,
  SUM(import_ukwh) AS import_ukwh, SUM(export_ukwh) AS export_ukwh, SUM(reactive_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost, MIN(min_ukw) AS min_ukw, MAX(max_ukw) AS max_ukw
FROM TABLE(
  SESSION(
    TABLE all_1h PARTITION BY (level, entity, site_path, currency, day_start_ms, day_s),
    DESCRIPTOR(row_time), INTERVAL '3' HOURS
  )
)
GROUP BY window_start, window_end, window_time, level, entity, site_path, currency, day_start_ms, day_s
