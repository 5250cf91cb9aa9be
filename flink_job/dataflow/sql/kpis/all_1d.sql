-- Local days, 23 to 25 hours long. The event time of a day's hours (day_time) is the end of the UTC hour in which the day ends, so
-- they all fall into the window of that hour, which is emitted right after the day's last hour.
SELECT
  level, entity, site, MAX(site_path) AS site_path, currency, day_start_ms, day_s,
  MAX(interval_s) AS interval_s, SUM(readings) AS readings, SUM(expected_readings) AS expected_readings,
  SUM(import_ukwh) AS import_ukwh, SUM(export_ukwh) AS export_ukwh, SUM(reactive_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost, MAX(arrival) AS arrival, MIN(min_ukw) AS min_ukw, MAX(max_ukw) AS max_ukw
FROM TABLE(TUMBLE(TABLE all_1h, DESCRIPTOR(day_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, window_time, level, entity, site, currency, day_start_ms, day_s
