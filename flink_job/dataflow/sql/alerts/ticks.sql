-- A clock for times in which nothing arrives at all: a row per second that belongs to no entity. It advances event time only while
-- the readings' watermark is idle.
SELECT
  '' AS entity,
  '' AS site_path,
  '' AS tags,
  UNIX_TIMESTAMP() * 1000 AS arrival_ms,
  TO_TIMESTAMP_LTZ(UNIX_TIMESTAMP() * 1000 + tick * 0, 3) AS arrival
FROM source_ticks
