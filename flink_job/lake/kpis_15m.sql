-- Quarter hours of every entity. The power of a level is the coincident sum over its meters. It is rounded: where submeters measured
-- all of the meter upstream, nothing is left but the error of floating-point sums.
SELECT
  tenant,
  level,
  entity,
  currency,
  window_start,
  900 AS window_s,
  day_start,
  day_s,
  event_date,
  site,
  SUM(readings) AS readings,
  SUM(CASE WHEN is_measured THEN GREATEST(1, CAST(FLOOR(900.0 / interval_s) AS INTEGER)) ELSE 0 END) AS expected_readings,
  SUM(energy_kwh) AS energy_kwh,
  SUM(export_kwh) AS export_kwh,
  SUM(reactive_kvarh) AS reactive_kvarh,
  SUM(cost) AS cost,
  ROUND(SUM(quarter_kwh * 3600 / GREATEST(900, interval_s)), 9) AS mean_kw
FROM meter_levels
GROUP BY tenant, level, entity, site, currency, window_start, day_start, day_s, event_date
