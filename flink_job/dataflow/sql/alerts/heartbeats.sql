-- Heartbeats: arrivals of the entities that no-data rules monitor, from marks of six fields
-- (see flink_job/alerts/heartbeats.py).
SELECT
  SPLIT_INDEX(h.mark, CHR(30), 3) AS entity,
  SPLIT_INDEX(h.mark, CHR(30), 4) AS site_path,
  SPLIT_INDEX(h.mark, CHR(30), 5) AS tags,
  SPLIT_INDEX(h.mark, CHR(30), 0) = '1' AS is_resumed,
  CAST(SPLIT_INDEX(h.mark, CHR(30), 1) AS BIGINT) AS before_ms,
  CAST(SPLIT_INDEX(h.mark, CHR(30), 2) AS BIGINT) AS arrival_ms,
  CAST(r.arrival AS TIMESTAMP_LTZ(3)) AS arrival
FROM resolved AS r
CROSS JOIN UNNEST(r.heartbeats) AS h (mark)
