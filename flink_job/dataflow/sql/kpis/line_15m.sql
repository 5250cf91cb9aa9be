-- Quarter hours of lines. Processes and factories are summed from these, which are far fewer than meters.
SELECT
  window_start,
  window_end,
  window_time,
  entity,
  currency,
  day_start_ms,
  day_s,
  MAX(interval_s) AS interval_s,
  SUM(readings) AS readings,
  SUM(expected_readings) AS expected_readings,
  SUM(import_ukwh) AS import_ukwh,
  SUM(export_ukwh) AS export_ukwh,
  SUM(reactive_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost,
  MAX(arrival) AS arrival,
  SUM(mean_ukw) AS mean_ukw
FROM TABLE(TUMBLE(TABLE line_parts_15m, DESCRIPTOR(event_time), INTERVAL '15' MINUTES))
GROUP BY window_start, window_end, window_time, entity, currency, day_start_ms, day_s
