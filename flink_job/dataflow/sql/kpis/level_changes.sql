-- Changes of the quarter hours of lines, for the levels above: the first two parts of the path (process), and the first (factory). They
-- are summed from lines, which are far fewer than meters, so that a large site is not a hot key. A path of fewer than three
-- parts is not a line: its meters belong directly to the level that it names.
SELECT
  l.entity,
  c.currency,
  c.start_ms,
  c.interval_s,
  c.day_start_ms,
  c.day_s,
  c.arrival,
  c.readings,
  c.expected_readings,
  c.import_ukwh,
  c.export_ukwh,
  c.reactive_uvarh,
  c.total_ucost,
  c.mean_ukw,
  c.row_time
FROM (
  SELECT
    *,
    ARRAY[
      CASE WHEN entity NOT LIKE '%/%/%' THEN entity ELSE '' END,
      REGEXP_EXTRACT(entity, '^([^/]+/[^/]+)/', 1),
      REGEXP_EXTRACT(entity, '^([^/]+)/', 1)
    ] AS entities
  FROM line_windows
  WHERE is_change
) AS c
CROSS JOIN UNNEST(c.entities) AS l (entity)
WHERE l.entity <> ''
