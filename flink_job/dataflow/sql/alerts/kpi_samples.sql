-- Closed hours and local days, with the output of the pre-filter of rules on KPIs.
SELECT
  level,
  entity,
  window_s,
  prefilter_kpi(
    level, entity, site_path, window_s, window_start, CASE WHEN window_s = 86400 THEN day_s ELSE window_s END, currency,
    readings, expected_readings, import_ukwh, reactive_uvarh, total_ucost, COALESCE(max_ukw, 0), arrival
  ) AS sample
FROM hours_and_days
