-- The table `kpis`: partial aggregates in kWh, kW and currency units. A late reading is a partial at the lowest level; the merged
-- views carry it up.
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  COALESCE(part_of, CONCAT_WS(
    '|', level, SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1), currency,
    CAST(window_s AS STRING), window_key, CAST(day_start_ms AS STRING),
    CASE WHEN level = 'meter' THEN SPLIT_INDEX(SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1), '/', 0) END
  )) AS kpi_id,
  level,
  SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  window_start,
  window_end,
  window_s,
  emission,
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
FROM (
  SELECT
    part_of, level, entity, site_path, currency, day_start_ms, day_s,
    starts_at AS window_start, starts_at + INTERVAL '15' MINUTE AS window_end, 900 AS window_s,
    CAST(EXTRACT(EPOCH FROM starts_at) AS STRING) AS window_key, 'on_time' AS emission,
    interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost,
    mean_ukw AS min_ukw, mean_ukw AS max_ukw
  FROM all_15m
  UNION ALL
  SELECT
    CAST(NULL AS STRING) AS part_of, level, entity, site_path, currency, day_start_ms, day_s,
    window_start, window_end, window_s, window_key, 'on_time' AS emission,
    interval_s, readings, expected_readings, import_ukwh, export_ukwh, reactive_uvarh, total_ucost, min_ukw, max_ukw
  FROM hours_and_days
  UNION ALL
  SELECT
    reading_id AS part_of, 'meter' AS level, meter_id AS entity, site_path, currency, day_start_ms, day_s,
    CAST(TO_TIMESTAMP_LTZ(start_ms / ${QUARTER_HOUR_MS} * ${QUARTER_HOUR_MS}, 3) AS TIMESTAMP(3)) AS window_start,
    CAST(TO_TIMESTAMP_LTZ((start_ms / ${QUARTER_HOUR_MS} + 1) * ${QUARTER_HOUR_MS}, 3) AS TIMESTAMP(3)) AS window_end,
    900 AS window_s, '' AS window_key, 'late' AS emission,
    count_late(interval_s) AS interval_s, CASE WHEN is_first THEN 1 ELSE 0 END AS readings,
    GREATEST(1, 900 / interval_s) AS expected_readings,
    import_ukwh, export_ukwh, reactive_import_uvarh AS reactive_uvarh, total_ucost,
    CAST(NULL AS BIGINT) AS min_ukw, CAST(NULL AS BIGINT) AS max_ukw
  FROM late
) AS windows
