-- The table `kpis`: totals of windows in kWh, kW and currency units. A later row of a kpi_id replaces the earlier ones. Readings
-- without a price are in windows without a currency.
SELECT
  CASE WHEN POSITION(CHR(31) IN site_path) = 0 THEN 'default' ELSE SPLIT_INDEX(site_path, CHR(31), 0) END AS tenant,
  CONCAT_WS(
    '|', level, SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1), currency,
    CAST(window_s AS STRING), CAST(start_ms / 1000 AS STRING), CAST(day_start_ms / 1000 AS STRING),
    CASE WHEN level = 'meter' THEN SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) END,
    CASE WHEN upstream_path <> '' THEN SUBSTRING(upstream_path FROM POSITION(CHR(31) IN upstream_path) + 1) END
  ) AS kpi_id,
  level,
  SUBSTRING(entity FROM POSITION(CHR(31) IN entity) + 1) AS entity,
  SUBSTRING(site_path FROM POSITION(CHR(31) IN site_path) + 1) AS site_path,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS window_start,
  CAST(
    TO_TIMESTAMP_LTZ(start_ms + 1000 * CASE WHEN window_s = 86400 THEN day_s ELSE window_s END, 3) AS TIMESTAMP(3)
  ) AS window_end,
  window_s,
  CASE WHEN is_corrected THEN 'corrected' ELSE 'on_time' END AS emission,
  readings,
  expected_readings,
  interval_s,
  CAST(import_ukwh * 0.000001 AS DECIMAL(18, 6)) AS energy_kwh,
  CAST(export_ukwh * 0.000001 AS DECIMAL(18, 6)) AS export_kwh,
  CAST(reactive_uvarh * 0.000001 AS DECIMAL(18, 6)) AS reactive_kvarh,
  CASE WHEN currency <> '' THEN CAST(total_ucost * 0.000001 AS DECIMAL(18, 6)) END AS cost,
  NULLIF(currency, '') AS currency,
  CAST(min_mean_ukw * 0.000001 AS DECIMAL(18, 6)) AS min_kw,
  CAST(max_mean_ukw * 0.000001 AS DECIMAL(18, 6)) AS max_kw,
  CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS day_start,
  day_s,
  emitted_at,
  SUBSTRING(NULLIF(upstream_path, '') FROM POSITION(CHR(31) IN upstream_path) + 1) AS upstream_path
FROM windows
