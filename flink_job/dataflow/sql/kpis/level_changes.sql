-- The changes for every level above the meters: the first part of the path (factory), the first two (process), and the first three
-- (line), as far as the path has them.
SELECT
  l.entity,
  c.currency,
  c.start_ms,
  c.interval_s,
  c.day_start_ms,
  c.day_s,
  c.is_partial,
  c.is_day_partial,
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
      SPLIT_INDEX(path, '/', 0),
      CASE
        WHEN path LIKE '%/%' THEN CONCAT(SPLIT_INDEX(path, '/', 0), '/', SPLIT_INDEX(path, '/', 1)) ELSE ''
      END,
      CASE WHEN path LIKE '%/%/%' THEN path ELSE '' END
    ] AS entities
  FROM combined_changes
) AS c
CROSS JOIN UNNEST(c.entities) AS l (entity)
WHERE l.entity <> ''
