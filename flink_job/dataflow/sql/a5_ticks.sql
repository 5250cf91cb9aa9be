-- A clock for times in which nothing at all arrives: a row each second, that belongs to no entity. It moves event time on
-- only while no reading does (the readings' watermark is then idle).
SELECT
  '' AS entity,
  '' AS site_path,
  '' AS tags,
  FALSE AS is_heard,
  CAST(-1 AS BIGINT) AS before_ms,
  UNIX_TIMESTAMP() * 1000 AS arrival_ms,
  TO_TIMESTAMP_LTZ(UNIX_TIMESTAMP() * 1000 + tick * 0, 3) AS arrival
FROM source_ticks
