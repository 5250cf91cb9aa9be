-- The table `kpis`: partial aggregates in whole units. A late reading is a part of its own at the lowest level; the
-- merged views carry it up.
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  COALESCE(part_of, CONCAT_WS(
    '|', level, SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1), currency, '900', CAST(EXTRACT(EPOCH FROM starts_at) AS STRING), CAST(day_start_ms AS STRING),
    CASE WHEN level = 'meter' THEN SPLIT_INDEX(SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1), '/', 0) END
  )) AS kpi_id,
  level,
  SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  starts_at AS window_start,
  starts_at + INTERVAL '15' MINUTE AS window_end,
  900 AS window_s,
  'on_time' AS emission,
  readings,
  expected_readings,
  interval_s,
  CAST(import_ukwh * 0.000001 AS DECIMAL(18, 6)) AS energy_kwh,
  CAST(export_ukwh * 0.000001 AS DECIMAL(18, 6)) AS export_kwh,
  CAST(reactive_uvarh * 0.000001 AS DECIMAL(18, 6)) AS reactive_kvarh,
  CAST(total_ucost * 0.000001 AS DECIMAL(18, 6)) AS cost,
  currency,
  CAST(mean_ukw * 0.000001 AS DECIMAL(18, 6)) AS min_kw,
  CAST(mean_ukw * 0.000001 AS DECIMAL(18, 6)) AS max_kw,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS day_start,
  day_s
FROM all_15m
UNION ALL
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  CONCAT_WS(
    '|', level, SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1), currency, '3600', CAST(EXTRACT(EPOCH FROM starts_at) AS STRING), CAST(day_start_ms AS STRING),
    CASE WHEN level = 'meter' THEN SPLIT_INDEX(SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1), '/', 0) END
  ) AS kpi_id,
  level,
  SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  starts_at AS window_start,
  starts_at + INTERVAL '1' HOUR AS window_end,
  3600 AS window_s,
  'on_time' AS emission,
  readings,
  expected_readings,
  interval_s,
  CAST(import_ukwh * 0.000001 AS DECIMAL(18, 6)) AS energy_kwh,
  CAST(export_ukwh * 0.000001 AS DECIMAL(18, 6)) AS export_kwh,
  CAST(reactive_uvarh * 0.000001 AS DECIMAL(18, 6)) AS reactive_kvarh,
  CAST(total_ucost * 0.000001 AS DECIMAL(18, 6)) AS cost,
  currency,
  CAST(min_ukw * 0.000001 AS DECIMAL(18, 6)) AS min_kw,
  CAST(max_ukw * 0.000001 AS DECIMAL(18, 6)) AS max_kw,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS day_start,
  day_s
FROM all_1h
UNION ALL
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  CONCAT_WS(
    '|', level, SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1), currency, '86400', CAST(day_start_ms / 1000 AS STRING), CAST(day_start_ms AS STRING),
    CASE WHEN level = 'meter' THEN SPLIT_INDEX(SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1), '/', 0) END
  ) AS kpi_id,
  level,
  SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS window_start,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms + day_s * 1000, 3) AS TIMESTAMP(3)) AS window_end,
  86400 AS window_s,
  'on_time' AS emission,
  readings,
  CASE WHEN level = 'meter' THEN GREATEST(1, day_s / interval_s) ELSE expected_readings END AS expected_readings,
  interval_s,
  CAST(import_ukwh * 0.000001 AS DECIMAL(18, 6)) AS energy_kwh,
  CAST(export_ukwh * 0.000001 AS DECIMAL(18, 6)) AS export_kwh,
  CAST(reactive_uvarh * 0.000001 AS DECIMAL(18, 6)) AS reactive_kvarh,
  CAST(total_ucost * 0.000001 AS DECIMAL(18, 6)) AS cost,
  currency,
  CAST(min_ukw * 0.000001 AS DECIMAL(18, 6)) AS min_kw,
  CAST(max_ukw * 0.000001 AS DECIMAL(18, 6)) AS max_kw,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS day_start,
  day_s
FROM all_1d
UNION ALL
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  reading_id AS kpi_id,
  'meter' AS level,
  SUBSTRING(meter_id FROM POSITION(CHR(31) IN meter_id) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  CAST(TO_TIMESTAMP_LTZ(start_ms / 900000 * 900000, 3) AS TIMESTAMP(3)) AS window_start,
  CAST(TO_TIMESTAMP_LTZ(start_ms / 900000 * 900000 + 900000, 3) AS TIMESTAMP(3)) AS window_end,
  900 AS window_s,
  'late' AS emission,
  CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
  GREATEST(1, 900 / interval_s) AS expected_readings,
  tally_late(interval_s) AS interval_s,
  CAST(import_ukwh * 0.000001 AS DECIMAL(18, 6)) AS energy_kwh,
  CAST(export_ukwh * 0.000001 AS DECIMAL(18, 6)) AS export_kwh,
  CAST(reactive_import_uvarh * 0.000001 AS DECIMAL(18, 6)) AS reactive_kvarh,
  CAST(total_ucost * 0.000001 AS DECIMAL(18, 6)) AS cost,
  currency,
  CAST(NULL AS DECIMAL(18, 6)) AS min_kw,
  CAST(NULL AS DECIMAL(18, 6)) AS max_kw,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS day_start,
  day_s
FROM late
