-- Clock ticks: a row per second without an entity, which advances event time while nothing arrives. Otherwise the watermark of the
-- readings determines it.
SELECT
  '' AS entity_key,
  '' AS site_path,
  '' AS tags,
  TO_TIMESTAMP_LTZ(UNIX_TIMESTAMP() * 1000 + tick * 0, 3) AS arrival
FROM source_ticks
