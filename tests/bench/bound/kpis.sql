-- Quarter hours, hours and days, each from the readings themselves.
SELECT level, entity, window_start, 900 AS window_s, currency, MAX(interval_s) AS interval_s,
  SUM(CASE WHEN is_first THEN 1 ELSE 0 END) AS readings, SUM(import_ukwh) AS import_ukwh,
  SUM(export_ukwh) AS export_ukwh, SUM(reactive_import_uvarh) AS reactive_uvarh, SUM(total_ucost) AS total_ucost,
  MAX(import_ukwh) AS max_ukwh
FROM TABLE(TUMBLE(TABLE levelled, DESCRIPTOR(event_time), INTERVAL '15' MINUTES))
GROUP BY window_start, window_end, level, entity, currency
UNION ALL
SELECT level, entity, window_start, 3600 AS window_s, currency, MAX(interval_s) AS interval_s,
  SUM(CASE WHEN is_first THEN 1 ELSE 0 END) AS readings, SUM(import_ukwh) AS import_ukwh,
  SUM(export_ukwh) AS export_ukwh, SUM(reactive_import_uvarh) AS reactive_uvarh, SUM(total_ucost) AS total_ucost,
  MAX(import_ukwh) AS max_ukwh
FROM TABLE(TUMBLE(TABLE levelled, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, level, entity, currency
UNION ALL
SELECT level, entity, window_start, 86400 AS window_s, currency, MAX(interval_s) AS interval_s,
  SUM(CASE WHEN is_first THEN 1 ELSE 0 END) AS readings, SUM(import_ukwh) AS import_ukwh,
  SUM(export_ukwh) AS export_ukwh, SUM(reactive_import_uvarh) AS reactive_uvarh, SUM(total_ucost) AS total_ucost,
  MAX(import_ukwh) AS max_ukwh
FROM TABLE(TUMBLE(TABLE levelled, DESCRIPTOR(event_time), INTERVAL '1' DAY))
GROUP BY window_start, window_end, level, entity, currency
