-- Totals of hours and local days, corrected ones too, with the output of the pre-filter of rules on KPIs. A window without a reading
-- counts as arrived at its end. An hour in which a day ends has a row for each day, neither of which is a whole hour: they are no samples,
-- and neither are windows of readings without a price, which empty as these are priced.
SELECT
  level,
  entity,
  window_s,
  currency,
  prefilter_kpi(
    level, entity, site_path, window_s, CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)),
    CASE WHEN window_s = 86400 THEN day_s ELSE window_s END, currency,
    readings, expected_readings, import_ukwh, reactive_uvarh, total_ucost, COALESCE(max_mean_ukw, 0),
    COALESCE(arrival, CAST(TO_TIMESTAMP_LTZ(start_ms + window_s * 1000, 3) AS TIMESTAMP(3))), is_partial
  ) AS sample
FROM windows
WHERE
  window_s > 900
  AND currency <> ''
  AND (window_s = 86400 OR day_start_ms <= start_ms AND day_start_ms + day_s * 1000 >= start_ms + window_s * 1000)
