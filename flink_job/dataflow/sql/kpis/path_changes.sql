-- Changes of the quarter hours of meters; of the path the parts above the meter remain (see pipeline.py). Levels count every kWh once:
-- what a submeter measures counts on its own path, and no longer on that of the meter upstream, which measures it, too.
SELECT
  CASE WHEN is_upstream THEN upstream_path ELSE site_path END AS path,
  currency,
  start_ms,
  CASE WHEN is_upstream THEN 0 ELSE interval_s END AS interval_s,
  day_start_ms,
  day_s,
  is_partial,
  is_day_partial,
  arrival,
  CASE WHEN is_upstream THEN CAST(0 AS BIGINT) ELSE readings END AS readings,
  CASE WHEN is_upstream THEN CAST(0 AS BIGINT) ELSE expected_readings END AS expected_readings,
  CASE WHEN is_upstream THEN -import_ukwh ELSE import_ukwh END AS import_ukwh,
  CASE WHEN is_upstream THEN -export_ukwh ELSE export_ukwh END AS export_ukwh,
  CASE WHEN is_upstream THEN -reactive_uvarh ELSE reactive_uvarh END AS reactive_uvarh,
  CASE WHEN is_upstream THEN CAST(0 AS BIGINT) ELSE total_ucost END AS total_ucost,
  CASE WHEN is_upstream THEN -mean_ukw ELSE mean_ukw END AS mean_ukw,
  row_time AS change_time
FROM meter_windows AS w
CROSS JOIN UNNEST(CASE WHEN w.upstream_path = '' THEN ARRAY[FALSE] ELSE ARRAY[FALSE, TRUE] END) AS parts (is_upstream)
WHERE is_change
