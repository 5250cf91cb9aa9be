-- Quarter hours of each meter, summed from the costs of its readings: exact for late readings and for duplicated rows. A
-- meter that moved to another site within a quarter hour has one row per site.
SELECT
  tenant,
  meter_id,
  MAX(site_path) AS site_path,
  split_part(site_path, '/', 1) AS site,
  window_start,
  currency,
  day_start,
  day_s,
  event_date,
  MAX(interval_s) AS interval_s,
  SUM(CASE WHEN is_first THEN 1 ELSE 0 END) AS readings,
  SUM(energy_kwh) AS energy_kwh,
  SUM(export_kwh) AS export_kwh,
  SUM(reactive_kvarh) AS reactive_kvarh,
  SUM(cost) AS cost
FROM (
  SELECT
    *,
    date_trunc('hour', interval_start)
    + CAST(FLOOR(EXTRACT(MINUTE FROM interval_start) / 15.0) AS INTEGER) * INTERVAL '15' MINUTE AS window_start
  FROM costs
) AS readings
GROUP BY tenant, meter_id, split_part(site_path, '/', 1), window_start, currency, day_start, day_s, event_date
