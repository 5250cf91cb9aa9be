-- Each meter's quarter hour: on-time and late partials together.
SELECT
  entity AS meter_id,
  MAX(site_path) AS site_path,
  window_start,
  currency,
  day_start,
  day_s,
  event_date,
  MAX(interval_s) AS interval_s,
  SUM(readings) AS readings,
  SUM(energy_kwh) AS energy_kwh,
  SUM(export_kwh) AS export_kwh,
  SUM(reactive_kvarh) AS reactive_kvarh,
  SUM(cost) AS cost
FROM kpis
WHERE level = 'meter' AND window_s = 900
GROUP BY entity, window_start, currency, day_start, day_s, event_date
