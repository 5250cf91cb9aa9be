-- Hours and local days as samples for the rules on KPIs.
SELECT
  level,
  entity,
  window_s,
  watch_kpi(
    level, entity, site_path, window_s, starts_at, seconds, currency,
    readings, expected_readings, import_ukwh, reactive_uvarh, total_ucost, max_ukw, arrival
  ) AS watch
FROM (
  SELECT
    level, entity, site_path, 3600 AS window_s, starts_at, 3600 AS seconds, currency,
    readings, expected_readings, import_ukwh, reactive_uvarh, total_ucost, COALESCE(max_ukw, 0) AS max_ukw, arrival
  FROM all_1h
  UNION ALL
  SELECT
    level, entity, site_path, 86400 AS window_s, CAST(TO_TIMESTAMP_LTZ(day_start_ms, 3) AS TIMESTAMP(3)) AS starts_at,
    day_s AS seconds, currency,
    readings, CASE WHEN level = 'meter' THEN GREATEST(1, day_s / interval_s) ELSE expected_readings END
      AS expected_readings,
    import_ukwh, reactive_uvarh, total_ucost, COALESCE(max_ukw, 0) AS max_ukw, arrival
  FROM all_1d
)
