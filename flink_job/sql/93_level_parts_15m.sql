-- Each meter's quarter hour once for every level above it: the first one, two and three parts of its site path.
SELECT
  CASE CHAR_LENGTH(l.entity) - CHAR_LENGTH(REPLACE(l.entity, '/', ''))
    WHEN 0 THEN 'factory'
    WHEN 1 THEN 'process'
    ELSE 'line'
  END AS level,
  l.entity,
  m.currency,
  m.day_start_ms,
  m.day_s,
  m.event_time,
  m.interval_s,
  m.readings,
  GREATEST(1, 900 / m.interval_s) AS expected_readings,
  m.import_ukwh,
  m.export_ukwh,
  m.reactive_uvarh,
  m.total_ucost,
  m.mean_ukw
FROM (
  SELECT
    *,
    window_time AS event_time,
    ARRAY[
      REGEXP_EXTRACT(site_path, '^([^/]+)', 1),
      REGEXP_EXTRACT(site_path, '^([^/]+/[^/]+)', 1),
      REGEXP_EXTRACT(site_path, '^([^/]+/[^/]+/[^/]+)', 1)
    ] AS entities
  FROM meter_15m
) AS m
CROSS JOIN UNNEST(m.entities) AS l (entity)
WHERE l.entity <> ''
