-- Quarter hours of meters with shorter readings; a meter that moves to another site has one row per site.
SELECT
  window_start,
  window_end,
  window_time,
  meter_id,
  MAX(site_path) AS site_path,
  currency,
  day_start_ms,
  day_s,
  MAX(interval_s) AS interval_s,
  SUM(CASE WHEN is_first THEN 1 ELSE 0 END) AS readings,
  SUM(import_ukwh) AS import_ukwh,
  SUM(export_ukwh) AS export_ukwh,
  SUM(reactive_import_uvarh) AS reactive_uvarh,
  SUM(total_ucost) AS total_ucost,
  MAX(arrival) AS arrival,
  SUM(import_ukwh) * 3600 / GREATEST(900, MAX(interval_s)) AS mean_ukw
FROM TABLE(TUMBLE(TABLE short_intervals, DESCRIPTOR(row_time), INTERVAL '15' MINUTES))
GROUP BY
  window_start, window_end, window_time, meter_id, SPLIT_INDEX(site_path, '/', 0), currency, day_start_ms, day_s
