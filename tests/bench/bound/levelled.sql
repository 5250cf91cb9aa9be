-- Each costed reading once for its meter and for every level above it: the plain way to KPIs.
SELECT
  l.level,
  l.entity,
  c.currency,
  c.interval_s,
  c.is_first,
  c.import_ukwh,
  c.export_ukwh,
  c.reactive_import_uvarh,
  c.total_ucost,
  c.event_time
FROM (
  SELECT
    *,
    ARRAY[
      ROW('meter', meter_id),
      ROW('line', REGEXP_EXTRACT(site_path, '^([^/]+/[^/]+/[^/]+)', 1)),
      ROW('process', REGEXP_EXTRACT(site_path, '^([^/]+/[^/]+)', 1)),
      ROW('factory', REGEXP_EXTRACT(site_path, '^([^/]+)', 1))
    ] AS entities
  FROM costed
) AS c
CROSS JOIN UNNEST(c.entities) AS l (level, entity)
