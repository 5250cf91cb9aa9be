-- Each quarter hour of a line for the line itself and for every level above it: the first two parts of the path, and the first.
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
  m.expected_readings,
  m.import_ukwh,
  m.export_ukwh,
  m.reactive_uvarh,
  m.total_ucost,
  m.arrival,
  m.mean_ukw
FROM (
  SELECT
    *,
    window_time AS event_time,
    ARRAY[
      entity,
      REGEXP_EXTRACT(entity, '^([^/]+/[^/]+)/', 1),
      REGEXP_EXTRACT(entity, '^([^/]+)/', 1)
    ] AS entities
  FROM line_15m
) AS m
CROSS JOIN UNNEST(m.entities) AS l (entity)
WHERE l.entity <> ''
